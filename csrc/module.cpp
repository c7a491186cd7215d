// The extension module, one for each instruction set.
#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "bind.h"
#include "openmp.h"
#include "processor.h"

#define SLUICE_TEXT(name) #name
#define SLUICE_NAME_OF(isa) SLUICE_TEXT(isa)
#define SLUICE_MODULE_OF(isa, module) NB_MODULE(_kernels_##isa, module)
#define SLUICE_MODULE(isa, module) SLUICE_MODULE_OF(isa, module)

namespace nb = nanobind;

using sluice::SLUICE_ISA::OpenMP;

// The file of the OpenMP runtime on whose threads jobs run; empty where it is the pool's.
static std::string find_openmp() {
    const OpenMP* runtime = OpenMP::get();
    return runtime ? runtime->library() : "";
}

SLUICE_MODULE(SLUICE_ISA, m) {
    // What Python still holds when the process ends is no leak.
    nb::set_leak_warnings(false);
    OpenMP::watch_forks();
    m.attr("isa") = SLUICE_NAME_OF(SLUICE_ISA);
    m.def("supported", &sluice::SLUICE_ISA::list_instruction_sets);
    m.def("use_openmp", &OpenMP::enable);
    m.def("find_openmp", &find_openmp);
    sluice::SLUICE_ISA::bind_attention(m);
    sluice::SLUICE_ISA::bind_loop(m);
    sluice::SLUICE_ISA::bind_step(m);
}
