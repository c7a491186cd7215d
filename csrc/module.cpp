// The extension module, one for each instruction set.
#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "bind.h"
#include "processor.h"

#define SLUICE_TEXT(name) #name
#define SLUICE_NAME_OF(isa) SLUICE_TEXT(isa)
#define SLUICE_MODULE_OF(isa, module) NB_MODULE(_kernels_##isa, module)
#define SLUICE_MODULE(isa, module) SLUICE_MODULE_OF(isa, module)

namespace nb = nanobind;

SLUICE_MODULE(SLUICE_ISA, m) {
    // Programs stay in a cache of Python's until the process ends: that is no leak.
    nb::set_leak_warnings(false);
    m.attr("isa") = SLUICE_NAME_OF(SLUICE_ISA);
    m.def("supported", &sluice::SLUICE_ISA::list_instruction_sets);
    sluice::SLUICE_ISA::bind_loop(m);
    sluice::SLUICE_ISA::bind_step(m);
}
