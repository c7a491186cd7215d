// The time loop for Python: programs, layers packed for them, and passes forward and backward.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/vector.h>

#include "bind.h"
#include "passes.h"
#include "program_reader.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace sluice::SLUICE_ISA {

using Bytes = nb::ndarray<nb::pytorch, uint8_t, nb::ndim<2>, nb::device::cpu, nb::c_contig>;

// Memory for a tape as a tensor of torch's, which frees it.
template <class Real> Bytes allocate_tape(const Program& program, i64 steps, i64 batch) {
    const i64 width = tape_bytes_per_row<Real>(program);
    const i64 rows = add_checked(multiply_checked(steps, batch), 1);
    auto block = std::make_unique<AlignedBlock>(size_t(multiply_checked(rows, width)));
    void* data = block->data();
    nb::capsule owner(block.release(),
                      [](void* p) noexcept { delete static_cast<AlignedBlock*>(p); });
    return Bytes(data, {size_t(rows), size_t(width)}, owner);
}

template <class Real> void bind_tape(nb::module_& m, const char* name) {
    nb::class_<Tape<Real>>(m, name)
        .def_static("at", &open_tape<Real>, nb::rv_policy::take_ownership)
        .def_static("allocate", &allocate_tape<Real>)
        .def_static("bytes_per_row", &tape_bytes_per_row<Real>)
        .def("holds", &holds<Real>)
        .def("read", &read_tape<Real>, nb::call_guard<nb::gil_scoped_release>());
}

template <class P> void bind_layer(nb::module_& m, const char* name) {
    nb::class_<Layer<P>> layer(m, name);
    layer
        .def(nb::init<const Program&, const std::vector<i64>&, bool, int>(), nb::keep_alive<1, 2>())
        .def("forward", &forward<P>, nb::rv_policy::take_ownership,
             nb::call_guard<nb::gil_scoped_release>())
        .def("backward", &backward<P>, nb::rv_policy::take_ownership,
             nb::call_guard<nb::gil_scoped_release>())
        .def_static("forward_once", &forward_once<P>, nb::rv_policy::take_ownership,
                    nb::call_guard<nb::gil_scoped_release>())
        .def_static("forward_once_to", &forward_once_to<P>,
                    nb::call_guard<nb::gil_scoped_release>());
    if constexpr (P::group < 4)
        layer.def_static("backward_once", &backward_once<P>, nb::rv_policy::take_ownership,
                         nb::call_guard<nb::gil_scoped_release>());
}

void bind_loop(nb::module_& m) {
    // A program, and so every layer and stream made for it, keeps alive what owns its bodies.
    nb::class_<Program>(m, "Program")
        .def(
            "__init__",
            [](Program* self, const std::vector<i64>& words, const Program::BodyWords& bodies,
               i64 lanes, nb::handle) { new (self) Program(words, bodies, lanes); },
            "words"_a, "bodies"_a, "lanes"_a, "owner"_a, nb::keep_alive<1, 5>());
    bind_tape<float>(m, "Tape32");
    bind_tape<double>(m, "Tape64");
    bind_layer<F32>(m, "LayerFloat32");
    bind_layer<F64>(m, "LayerFloat64");
    bind_layer<BF16>(m, "LayerBfloat16");
    bind_layer<I8>(m, "LayerInt8");
}

}  // namespace sluice::SLUICE_ISA
