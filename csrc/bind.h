// The parts of the extension module; each adds its classes to it.
#pragma once

#include <nanobind/nanobind.h>

namespace sluice::SLUICE_ISA {

void bind_attention(nanobind::module_& module);
void bind_loop(nanobind::module_& module);
void bind_step(nanobind::module_& module);

}  // namespace sluice::SLUICE_ISA
