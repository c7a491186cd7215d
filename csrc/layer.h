// A layer's parameters, and a layer packed for its program, as Python holds it.
#pragma once

#include "sections.h"
#include "storage.h"

namespace sluice::SLUICE_ISA {

template <class T> T* to_pointer(i64 address) { return reinterpret_cast<T*>(address); }

// `arrays`: each parameter's address and size in bytes; 0, 0 for one that is missing.
template <class Real>
std::vector<const Real*> read_parameters(const std::vector<i64>& arrays, const Program& p) {
    if (p.lanes != lanes<Real>)
        reject("a layer", std::to_string(lanes<Real>) + " lanes", p.lanes);
    Section s("a layer", "parameters", arrays.data(), arrays.data() + arrays.size());
    std::vector<const Real*> parameters;
    for (i64 size : p.parameter_sizes)
        parameters.push_back(s.read_array<const Real>("a parameter", size, true));
    s.finish();
    for (const Matrix& m : p.matrices)
        if (!parameters[size_t(m.weight)]) reject("a layer", "a weight", "none");
    return parameters;
}

// A layer whose weights are packed for many passes.
template <class P> struct Layer {
    using Real = typename P::Real;
    const Program& program;
    bool trains;  // weights of the way back are packed as well
    PackedWeights<P> weights;

    Layer(const Program& p, const std::vector<i64>& arrays, bool for_training, int threads)
        : program(p), trains(for_training),
          weights(p, read_parameters<Real>(arrays, p).data(), pack_all(p, trains),
                  std::max(1, threads)) {}
};

}  // namespace sluice::SLUICE_ISA
