// Gradients of weights: sums of outer products over many rows, blocked for the caches.
#pragma once

#include "pack.h"
#include "tile.h"

namespace sluice::SLUICE_ISA {

template <class P> constexpr i64 outer_rows = 384 * P::group;

template <class P> i64 outer_scratch_bytes(i64 columns) {
    constexpr i64 L = lanes<typename P::Real>;
    const i64 vectors = (columns + L - 1) / L + 2;
    return (outer_rows<P> + 2) * (vectors + 48) * L * i64(sizeof(typename P::B)) + 8192;
}

// C(m)[n] += Σ_q a[q][m]·b[q][n] for m in [m0, m1) and n in [0, columns); row_of(m) is where
// row m of C lies, null for none.
template <class P, class RowOf>
void outer(i64 m0, i64 m1, i64 columns, i64 rows, const typename P::A* const* a,
           const typename P::Real* const* b, RowOf row_of, typename P::Real*, bool accumulate,
           void* scratch) {
    using Real = typename P::Real;
    using A = typename P::A;
    using B = typename P::B;
    constexpr i64 L = lanes<Real>, G = P::group, MC = 16 * L;
    constexpr int NV = 2;
    const i64 panels = (columns + NV * L - 1) / (NV * L);
    for (i64 q0 = 0; q0 < rows; q0 += outer_rows<P>) {
        const i64 q = std::min(outer_rows<P>, rows - q0), groups = (q + G - 1) / G;
        const i64 stride = groups * NV * L * G;
        B* packed = static_cast<B*>(scratch);
        A* left = reinterpret_cast<A*>(packed + panels * stride);
        for (i64 p = 0; p < panels; ++p) {
            const i64 n = p * NV * L, units = std::min<i64>(NV * L, columns - n);
            for (i64 at = 0; at < groups * G; ++at) {
                B* to = packed + p * stride + at / G * NV * L * G + at % G;
                const Real* from = at < q ? b[q0 + at] + n : nullptr;
                for (i64 u = 0; u < NV * L; ++u)
                    to[u * G] = from && u < units ? converted<P>(from[u]) : B(0);
            }
        }
        for (i64 m = m0; m < m1; m += MC) {
            const i64 here = std::min(MC, m1 - m), length = groups * G;
            for (i64 at = 0; at < length; ++at)
                for (i64 i = 0; i < here; ++i)
                    left[i * length + at] = at < q ? a[q0 + at][m + i] : A(0);
            const int limit = row_limit<P>(NV);
            for (i64 p = 0; p < panels; ++p)
                for (i64 i = 0; i < here; i += limit) {
                    const int mr = int(std::min<i64>(limit, here - i));
                    alignas(64) Real sums[16 * NV * L];
                    tile<P>(NV, mr, sums, NV * L, groups, left + i * length, length,
                            packed + p * stride, nullptr, 0);
                    const i64 n = p * NV * L, units = std::min<i64>(NV * L, columns - n);
                    for (int r = 0; r < mr; ++r) {
                        Real* to = row_of(m + i + r);
                        if (!to) continue;
                        for (i64 u = 0; u < units; ++u)
                            to[n + u] = sums[r * NV * L + u] + (accumulate || q0 ? to[n + u] : Real(0));
                    }
                }
        }
    }
}

}  // namespace sluice::SLUICE_ISA
