// Gradients of weights: sums of outer products over many rows, blocked for the caches.
#pragma once

#include "pack.h"
#include "tile.h"

namespace sluice::SLUICE_ISA {

// A block: so many rows, panels of `tall` results down and of two registers across.
template <class P> struct OuterShape {
    using Real = typename P::Real;
    static constexpr int tall = register_bytes == 64 ? 12 : register_bytes == 32 ? 6 : 4;
    static constexpr i64 wide = 2 * register_lanes<Real>;
    static constexpr i64 rows = 384 * P::group, high = tall * 16;
    // A little more than a panel, so that panels do not fall on the same cache sets.
    static constexpr i64 left_panel = (rows + 16) * tall, right_panel = (rows + 4 * P::group) * wide;
};

template <class P> i64 outer_scratch_bytes(i64 columns) {
    using S = OuterShape<P>;
    const i64 across = (columns + S::wide - 1) / S::wide;
    return (across * S::right_panel + (S::high / S::tall + 1) * S::left_panel + 128) *
           i64(sizeof(typename P::B));
}

// Rows of b, columns [n, n + wide), groups of rows side by side; what is missing is zero.
template <class P>
static void pack_right(typename P::B* to, const typename P::Real* const* b, i64 rows, i64 n, i64 units) {
    constexpr i64 G = P::group, wide = OuterShape<P>::wide;
    for (i64 q = 0; q < rows; q += G, to += wide * G) {
        if constexpr (G == 1) {
            if (units == wide) std::memcpy(to, b[q] + n, wide * sizeof *to);
            else
                for (i64 u = 0; u < wide; ++u) to[u] = u < units ? b[q][n + u] : typename P::B(0);
        } else {
            uint16_t pair[2][wide] = {};
            to_bf16(pair[0], b[q] + n, units);
            if (q + 1 < rows) to_bf16(pair[1], b[q + 1] + n, units);
            auto* words = reinterpret_cast<uint32_t*>(to);
            for (i64 u = 0; u < wide; ++u) words[u] = pair[0][u] | uint32_t(pair[1][u]) << 16;
        }
    }
}

// Rows of a, results [m, m + count), in panels of `tall`.
template <class P>
static void pack_left(typename P::A* packed, const typename P::A* const* a, i64 rows, i64 m, i64 count) {
    using S = OuterShape<P>;
    constexpr i64 G = P::group, tall = S::tall;
    for (i64 q = 0; q < rows; q += G)
        for (i64 i = 0; i < count; i += tall) {
            auto* to = packed + i / tall * S::left_panel + q * tall;
            const i64 here = std::min(tall, count - i);
            const auto* first = a[q] + m + i;
            if constexpr (G == 1) {
                if (here == tall) std::memcpy(to, first, tall * sizeof *to);
                else
                    for (i64 k = 0; k < tall; ++k) to[k] = k < here ? first[k] : typename P::A(0);
            } else {
                const auto* second = q + 1 < rows ? a[q + 1] + m + i : nullptr;
                for (i64 k = 0; k < tall; ++k) {
                    to[2 * k] = k < here ? first[k] : 0;
                    to[2 * k + 1] = k < here && second ? second[k] : 0;
                }
            }
        }
}

template <class P>
[[gnu::noinline]] static void outer_tile(typename P::Real (&sums)[OuterShape<P>::tall * OuterShape<P>::wide],
                                         i64 groups, const typename P::A* a, const typename P::B* b) {
    using S = OuterShape<P>;
    using Real = typename P::Real;
    Register<Real> sum[S::tall][2] = {};
    multiply<P, S::tall, 2>(sum, groups, a, P::group, S::tall * P::group, b, S::wide * P::group);
#pragma GCC unroll 16
    for (int m = 0; m < S::tall; ++m) {
        store<Real>(sums + m * S::wide, sum[m][0]);
        store<Real>(sums + m * S::wide + S::wide / 2, sum[m][1]);
    }
}

// C(m)[n] += Σ_q a[q][m]·b[q][n] for m in [m0, m1) and n in [0, columns); row_of(m) is where
// row m of C lies, null for none.
template <class P, class RowOf>
void outer(i64 m0, i64 m1, i64 columns, i64 rows, const typename P::A* const* a,
           const typename P::Real* const* b, RowOf row_of, void* scratch) {
    using S = OuterShape<P>;
    using Real = typename P::Real;
    constexpr i64 tall = S::tall, wide = S::wide;
    const i64 across = (columns + wide - 1) / wide;
    auto* right = static_cast<typename P::B*>(scratch);
    auto* left = reinterpret_cast<typename P::A*>(right + across * S::right_panel + 32);
    for (i64 q0 = 0; q0 < rows; q0 += S::rows) {
        const i64 q = std::min(S::rows, rows - q0), groups = groups_of<P>(q);
        for (i64 p = 0; p < across; ++p)
            pack_right<P>(right + p * S::right_panel, b + q0, q, p * wide,
                          std::min(wide, columns - p * wide));
        for (i64 m = m0; m < m1; m += S::high) {
            const i64 high = std::min(S::high, m1 - m);
            pack_left<P>(left, a + q0, q, m, high);
            for (i64 p = 0; p < across; ++p)
                for (i64 i = 0; i < high; i += tall) {
                    alignas(64) Real sums[tall * wide];
                    Real* to[tall];
                    const i64 here = std::min(tall, high - i), n = p * wide;
                    for (i64 r = 0; r < here; ++r) {
                        to[r] = row_of(m + i + r);
                        if (to[r]) __builtin_prefetch(to[r] + n, 1);
                    }
                    outer_tile<P>(sums, groups, left + i / tall * S::left_panel,
                                  right + p * S::right_panel);
                    const i64 units = std::min(wide, columns - n);
                    for (i64 r = 0; r < here; ++r) {
                        if (!to[r]) continue;
                        if (units == wide)
                            for (i64 u = 0; u < wide; ++u) to[r][n + u] += sums[r * wide + u];
                        else
                            for (i64 u = 0; u < units; ++u) to[r][n + u] += sums[r * wide + u];
                    }
                }
        }
    }
}

}  // namespace sluice::SLUICE_ISA
