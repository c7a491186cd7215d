// A layer packed for its program, as Python holds it.
#pragma once

#include "call.h"

namespace sluice::SLUICE_ISA {

template <class T> T* pointer(i64 address) { return reinterpret_cast<T*>(address); }

template <class P> struct Layer {
    using Real = typename P::Real;
    const Program* program;
    Kernel<P> kernel;

    static std::vector<const Real*> reals(const std::vector<i64>& addresses, const Program& p) {
        if (i64(addresses.size()) != p.parameters)
            throw std::invalid_argument("a layer's parameters do not fit its program");
        std::vector<const Real*> found;
        for (i64 a : addresses) found.push_back(pointer<Real>(a));
        return found;
    }
    Layer(const Program& p, const std::vector<i64>& parameters, bool trains, int threads)
        : program(&p), kernel(p, reals(parameters, p).data(), trains, std::max(1, threads)) {}
};

}  // namespace sluice::SLUICE_ISA
