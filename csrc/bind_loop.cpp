// The time loop for Python: programs, layers packed for them, and passes forward and backward.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/vector.h>

#include "backward.h"
#include "bind.h"
#include "call_reader.h"
#include "forward.h"
#include "layer.h"
#include "program_reader.h"

namespace nb = nanobind;

namespace sluice::SLUICE_ISA {

// Whether the output array itself holds the first state: its rows need no padding.
template <class Real> bool output_holds_state(const Program& program) {
    return program.state_widths[0] % lanes<Real> == 0;
}

template <class Real>
void check_tape(const Tape<Real>& tape, const Program& program, const Call<Real>& call) {
    if (!tape.fits(program, call.steps, call.batch, output_holds_state<Real>(program)))
        throw std::invalid_argument(
            "expected the tape of a forward pass with the same program and "
            "sizes, got another; keep each pass with its own tape");
}

// The tape, which the caller owns; null where none is kept.
template <class P>
Tape<typename P::Real>* forward(const Layer<P>& layer, const std::vector<i64>& words, bool keep) {
    using Real = typename P::Real;
    const Program& program = layer.program;
    const Call<Real> call = CallReader<Real>(words, ListKind::forward_call, program).read_forward();
    std::unique_ptr<Tape<Real>> tape;
    if (keep)
        tape = std::make_unique<Tape<Real>>(Tape<Real>::of_values(
            program, call.steps, call.batch, output_holds_state<Real>(program)));
    Forward<P>(layer.weights, call, tape.get()).run();
    return tape.release();
}

// The same with the tape in memory of the caller's, as `make_tape` returns it.
template <class P>
void forward_to(const Layer<P>& layer, const std::vector<i64>& words,
                Tape<typename P::Real>& tape) {
    using Real = typename P::Real;
    const Program& program = layer.program;
    const Call<Real> call = CallReader<Real>(words, ListKind::forward_call, program).read_forward();
    check_tape(tape, program, call);
    Forward<P>(layer.weights, call, &tape).run();
}

// The gradients that the program records, which the caller owns; null where it records none.
template <class P>
Tape<typename P::Real>* backward(const Layer<P>& layer, const std::vector<i64>& words,
                                 const Tape<typename P::Real>& tape) {
    using Real = typename P::Real;
    const Program& program = layer.program;
    if constexpr (P::group == 4) {
        throw std::invalid_argument("int8 weights do not train; use another precision");
    } else {
        if (!layer.weights.trains)
            throw std::invalid_argument(
                "this layer was packed for inference; pack it for training");
        const Call<Real> call =
            CallReader<Real>(words, ListKind::backward_call, program).read_backward();
        check_tape(tape, program, call);
        std::unique_ptr<Tape<Real>> recorded;
        if (program.find(Role::recorded) >= 0)
            recorded = std::make_unique<Tape<Real>>(
                Tape<Real>::of_gradients(program, call.steps, call.batch));
        Backward<P>(layer.weights, call, tape, recorded.get()).run();
        return recorded.release();
    }
}

// Copy one item of a buffer on the tape to an array (time, batch, width) of the caller's.
template <class Real>
void read_tape(const Tape<Real>& tape, const Program& program, i64 k, i64 item, i64 to) {
    constexpr i64 L = lanes<Real>;
    if (k < 0 || k >= i64(program.buffers.size()))
        reject("a tape", "a buffer below " + std::to_string(program.buffers.size()), k);
    const Buffer& p = program.buffer(k);
    if (!tape.holds(size_t(k), p) || p.holds_scalars() || item < 0 || item >= p.items)
        throw std::invalid_argument("the tape does not hold item " + std::to_string(item) +
                                    " of buffer " + std::to_string(k) +
                                    "; ask what it holds first");
    const Real* from = tape.base[size_t(k)];
    Real* out = to_pointer<Real>(to);
    for (i64 q = 0; q < tape.steps * tape.batch; ++q)
        for (i64 u = 0; u < p.width; u += L)
            std::copy_n(from + q * p.row + u / L * p.block + item * L, std::min(L, p.width - u),
                        out + q * p.width + u);
}

template <class Real> bool holds(const Tape<Real>& tape, i64 k) {
    return tape.base.at(size_t(k)) != nullptr;
}

// A tape in memory of the caller's, who keeps it until the tape is gone.
template <class Real>
Tape<Real>* make_tape(const Program& program, i64 steps, i64 batch, i64 address, i64 bytes) {
    return new Tape<Real>(Tape<Real>::of_values_at(
        program, steps, batch, output_holds_state<Real>(program), to_pointer<void>(address), bytes));
}

using Bytes = nb::ndarray<nb::pytorch, uint8_t, nb::ndim<2>, nb::device::cpu, nb::c_contig>;

// Memory for a tape as a tensor of torch's, which frees it.
template <class Real> Bytes allocate_tape(const Program& program, i64 steps, i64 batch) {
    const i64 width = Tape<Real>::bytes_per_row(program, output_holds_state<Real>(program));
    const i64 rows = add_checked(multiply_checked(steps, batch), 1);
    auto block = std::make_unique<AlignedBlock>(size_t(multiply_checked(rows, width)));
    void* data = block->data();
    nb::capsule owner(block.release(),
                      [](void* p) noexcept { delete static_cast<AlignedBlock*>(p); });
    return Bytes(data, {size_t(rows), size_t(width)}, owner);
}

template <class Real> i64 tape_bytes_per_row(const Program& program) {
    return Tape<Real>::bytes_per_row(program, output_holds_state<Real>(program));
}

template <class Real> void bind_tape(nb::module_& m, const char* name) {
    nb::class_<Tape<Real>>(m, name)
        .def_static("at", &make_tape<Real>, nb::rv_policy::take_ownership)
        .def_static("allocate", &allocate_tape<Real>)
        .def_static("bytes_per_row", &tape_bytes_per_row<Real>)
        .def("holds", &holds<Real>)
        .def("read", &read_tape<Real>, nb::call_guard<nb::gil_scoped_release>());
}

template <class P> void bind_layer(nb::module_& m, const char* name) {
    nb::class_<Layer<P>>(m, name)
        .def(nb::init<const Program&, const std::vector<i64>&, bool, int>(), nb::keep_alive<1, 2>())
        .def("forward", &forward<P>, nb::rv_policy::take_ownership,
             nb::call_guard<nb::gil_scoped_release>())
        .def("forward_to", &forward_to<P>, nb::call_guard<nb::gil_scoped_release>())
        .def("backward", &backward<P>, nb::rv_policy::take_ownership,
             nb::call_guard<nb::gil_scoped_release>());
}

void bind_loop(nb::module_& m) {
    nb::class_<Program>(m, "Program")
        .def(nb::init<const std::vector<i64>&, const Program::BodyWords&, i64>());
    bind_tape<float>(m, "Tape32");
    bind_tape<double>(m, "Tape64");
    bind_layer<F32>(m, "LayerFloat32");
    bind_layer<F64>(m, "LayerFloat64");
    bind_layer<BF16>(m, "LayerBfloat16");
    bind_layer<I8>(m, "LayerInt8");
}

}  // namespace sluice::SLUICE_ISA
