// The time loop for Python: programs, layers packed for them, and passes forward and back.
#include <nanobind/nanobind.h>
#include <nanobind/stl/vector.h>

#include "backward.h"
#include "bind.h"
#include "forward.h"
#include "layer.h"

namespace nb = nanobind;

namespace sluice::SLUICE_ISA {

// The part of a call that both directions share; arrays are given by their addresses.
template <class Real> Call<Real> read_call(Reader& in, const Program& program) {
    Call<Real> call;
    call.steps = in.next();
    call.batch = in.next();
    if (call.steps < 0 || call.batch < 0) throw std::invalid_argument("negative sizes");
    call.threads = int(std::max<i64>(1, std::min<i64>(in.next(), 256)));
    call.reverse = in.next() != 0;
    call.x = pointer<Real>(in.next());
    call.y = pointer<Real>(in.next());
    call.lengths = pointer<i64>(in.next());
    call.resets = pointer<uint8_t>(in.next());
    const auto addresses = [&] {
        std::vector<const Real*> found;
        for (i64 a : in.list()) found.push_back(pointer<Real>(a));
        return found;
    };
    call.initial = addresses();
    call.restart = addresses();
    for (i64 left = in.next(); left > 0; --left) {
        Real* data = pointer<Real>(in.next());
        const i64 time = in.next();
        call.masks.push_back({data, time, in.next()});
    }
    const size_t states = program.state_widths.size();
    if (call.initial.size() != states || call.masks.size() != program.mask_widths.size() ||
        (!call.restart.empty() && call.restart.size() != states))
        throw std::invalid_argument("a call does not fit its program");
    return call;
}

template <class Real> std::vector<Real*> outputs(Reader& in) {
    std::vector<Real*> found;
    for (i64 a : in.list()) found.push_back(pointer<Real>(a));
    return found;
}

// The tape, which the caller owns; null where none is kept.
template <class P>
Tape<typename P::Real>* forward(const Layer<P>& layer, const std::vector<i64>& words, bool keep) {
    using Real = typename P::Real;
    const Program* program = layer.program;
    Reader in(words);
    Call<Real> call = read_call<Real>(in, *program);
    call.last = outputs<Real>(in);
    std::unique_ptr<Tape<Real>> tape;
    const bool direct = program->state_widths[0] % lanes<Real> == 0;
    if (keep)
        tape = std::make_unique<Tape<Real>>(
            Tape<Real>::of_values(*program, call.steps, call.batch, direct));
    Forward<P>(layer.kernel, call, tape.get()).run();
    return tape.release();
}

template <class Real> std::vector<const Real*> readable(const std::vector<Real*>& from) {
    return {from.begin(), from.end()};
}

// The gradients that the program records, which the caller owns; null where it records none.
template <class P>
Tape<typename P::Real>* backward(const Layer<P>& layer, const std::vector<i64>& words,
                                 const Tape<typename P::Real>& tape) {
    using Real = typename P::Real;
    const Program* program = layer.program;
    if constexpr (P::group == 4) {
        throw std::invalid_argument("int8 weights do not train");
    } else {
        if (!layer.kernel.trains) throw std::invalid_argument("this layer was packed for inference");
        Reader in(words);
        Call<Real> call = read_call<Real>(in, *program);
        call.upstream = pointer<Real>(in.next());
        call.last_gradient = readable(outputs<Real>(in));
        call.x_gradient = pointer<Real>(in.next());
        call.initial_gradient = outputs<Real>(in);
        call.restart_gradient = outputs<Real>(in);
        call.parameter_gradient = outputs<Real>(in);
        if (i64(call.parameter_gradient.size()) != program->parameters ||
            tape.steps != call.steps || tape.batch != call.batch)
            throw std::invalid_argument("a way back does not fit its tape");
        std::unique_ptr<Tape<Real>> recorded;
        if (program->find(Role::recorded) >= 0)
            recorded = std::make_unique<Tape<Real>>(
                Tape<Real>::of_gradients(*program, call.steps, call.batch));
        Backward<P>(layer.kernel, call, tape, recorded.get()).run();
        return recorded.release();
    }
}

// Copy one item of a tape's place (or a state kept beside it) to (time, batch, width).
template <class Real>
void read_tape(const Tape<Real>& tape, const Program& program, i64 place, i64 item, i64 to) {
    constexpr i64 L = lanes<Real>;
    const Place& p = program.places.at(size_t(place));
    const Real* from = tape.base.at(size_t(place));
    if (!from || item >= p.items) throw std::invalid_argument("the tape does not hold that");
    Real* out = pointer<Real>(to);
    for (i64 q = 0; q < tape.steps * tape.batch; ++q)
        for (i64 u = 0; u < p.width; u += L)
            std::copy_n(from + q * p.row + u / L * p.block + item * L, std::min(L, p.width - u),
                        out + q * p.width + u);
}

template <class Real> void bind_tape(nb::module_& m, const char* name) {
    nb::class_<Tape<Real>>(m, name)
        .def("holds", [](const Tape<Real>& t, i64 place) { return t.base.at(size_t(place)) != nullptr; })
        .def("read", &read_tape<Real>, nb::call_guard<nb::gil_scoped_release>());
}

template <class P> void bind_layer(nb::module_& m, const char* name) {
    nb::class_<Layer<P>>(m, name)
        .def(nb::init<const Program&, const std::vector<i64>&, bool, int>(), nb::keep_alive<1, 2>())
        .def("forward", &forward<P>, nb::rv_policy::take_ownership, nb::call_guard<nb::gil_scoped_release>())
        .def("backward", &backward<P>, nb::rv_policy::take_ownership, nb::call_guard<nb::gil_scoped_release>());
}

void bind_loop(nb::module_& m) {
    nb::class_<Program>(m, "Program").def(nb::init<const std::vector<i64>&, i64>());
    bind_tape<float>(m, "Tape32");
    bind_tape<double>(m, "Tape64");
    bind_layer<F32>(m, "LayerFloat32");
    bind_layer<F64>(m, "LayerFloat64");
    bind_layer<BF16>(m, "LayerBfloat16");
    bind_layer<I8>(m, "LayerInt8");
}

}  // namespace sluice::SLUICE_ISA
