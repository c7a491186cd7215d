// Gradients of weights: sums of outer products over many rows, blocked for the caches.
#pragma once

#include "few_outer.h"
#include "pack.h"
#include "tile.h"

namespace sluice::SLUICE_ISA {

// Sizes of a block: rows, and panels of `tile_height` results by two registers of columns.
template <class P> struct OuterShape {
    using Real = typename P::Real;
    static constexpr int tile_height = register_bytes == 64 ? 12 : register_bytes == 32 ? 6 : 4;
    static constexpr i64 tile_width = 2 * register_lanes<Real>;
    static constexpr i64 rows = 384 * P::group, result_block = tile_height * 16;
    // A little larger than a panel, so that panels do not map to the same cache sets.
    static constexpr i64 left_panel = (rows + 16) * tile_height,
                         right_panel = (rows + 4 * P::group) * tile_width;
};

template <class P> i64 outer_scratch_bytes(i64 columns) {
    using S = OuterShape<P>;
    const i64 column_panels = (columns + S::tile_width - 1) / S::tile_width;
    return (column_panels * S::right_panel +
            (S::result_block / S::tile_height + 1) * S::left_panel + 128) *
           i64(sizeof(typename P::B));
}

// Rows of b, columns [n, n + tile_width), groups of rows interleaved; zeros beyond `units` columns.
template <class P>
static void pack_right(typename P::B* to, const typename P::Real* const* b, i64 rows, i64 n,
                       i64 units) {
    constexpr i64 G = P::group, tile_width = OuterShape<P>::tile_width;
    for (i64 q = 0; q < rows; q += G, to += tile_width * G) {
        if constexpr (G == 1) {
            if (units == tile_width) std::memcpy(to, b[q] + n, tile_width * sizeof *to);
            else
                for (i64 u = 0; u < tile_width; ++u)
                    to[u] = u < units ? b[q][n + u] : typename P::B(0);
        } else {
            uint16_t pair[2][tile_width] = {};
            convert_to_bf16(pair[0], b[q] + n, units);
            if (q + 1 < rows) convert_to_bf16(pair[1], b[q + 1] + n, units);
            auto* words = reinterpret_cast<uint32_t*>(to);
            for (i64 u = 0; u < tile_width; ++u) words[u] = pair[0][u] | uint32_t(pair[1][u]) << 16;
        }
    }
}

// Rows of a, results [m, m + count), in panels of `tile_height`.
template <class P>
static void pack_left(typename P::A* packed, const typename P::A* const* a, i64 rows, i64 m,
                      i64 count) {
    using S = OuterShape<P>;
    constexpr i64 G = P::group, height = S::tile_height;
    for (i64 q = 0; q < rows; q += G)
        for (i64 i = 0; i < count; i += height) {
            auto* to = packed + i / height * S::left_panel + q * height;
            const i64 valid = std::min(height, count - i);
            const auto* first = a[q] + m + i;
            if constexpr (G == 1) {
                if (valid == height) std::memcpy(to, first, height * sizeof *to);
                else
                    for (i64 k = 0; k < height; ++k)
                        to[k] = k < valid ? first[k] : typename P::A(0);
            } else {
                const auto* second = q + 1 < rows ? a[q + 1] + m + i : nullptr;
                for (i64 k = 0; k < height; ++k) {
                    to[2 * k] = k < valid ? first[k] : 0;
                    to[2 * k + 1] = k < valid && second ? second[k] : 0;
                }
            }
        }
}

// Sums of a row of C, the first `units` of a tile's.
template <class Real>
static inline void store_sums(Real* to, const Real* sums, i64 units, bool assign) {
    constexpr i64 L = register_lanes<Real>;
    i64 u = 0;
    for (; u + L <= units; u += L) {
        const auto sum = load<Real>(sums + u);
        store<Real>(to + u, assign ? sum : load<Real>(to + u) + sum);
    }
    for (; u < units; ++u) to[u] = assign ? sums[u] : to[u] + sums[u];
}

template <class P>
using OuterSums = typename P::Real[OuterShape<P>::tile_height * OuterShape<P>::tile_width];

template <class P>
[[gnu::noinline]] static void multiply_outer_tile(OuterSums<P>& sums, i64 groups,
                                                  const typename P::A* a, const typename P::B* b) {
    using S = OuterShape<P>;
    using Real = typename P::Real;
    Register<Real> sum[S::tile_height][2] = {};
    multiply<P, S::tile_height, 2>(sum, groups, a, P::group, S::tile_height * P::group, b,
                                   S::tile_width * P::group);
#pragma GCC unroll 16
    for (int m = 0; m < S::tile_height; ++m) {
        store<Real>(sums + m * S::tile_width, sum[m][0]);
        store<Real>(sums + m * S::tile_width + S::tile_width / 2, sum[m][1]);
    }
}

// C(m)[n] = (or, unless `assign`, +=) Σ_q a[q][m]·b[q][n] for m in [m0, m1) and n in [0, columns);
// find_row(m) is where row m of C lies, null for none. `scratch`: outer_scratch_bytes(columns).
template <class P, class FindRow>
void add_outer_products(i64 m0, i64 m1, i64 columns, i64 rows, const typename P::A* const* a,
                        const typename P::Real* const* b, FindRow find_row, bool assign, void* scratch) {
    using S = OuterShape<P>;
    if constexpr (P::group == 1)
        if (rows <= max_few_rows)
            return add_few_outer_products<typename P::Real>(m0, m1, columns, rows, a, b, find_row,
                                                            assign);
    constexpr i64 height = S::tile_height, width = S::tile_width;
    const i64 panels = (columns + width - 1) / width;
    auto* right = static_cast<typename P::B*>(scratch);
    auto* left = reinterpret_cast<typename P::A*>(right + panels * S::right_panel + 32);
    for (i64 q0 = 0; q0 < rows; q0 += S::rows) {
        const i64 q = std::min(S::rows, rows - q0), groups = group_count<P>(q);
        for (i64 p = 0; p < panels; ++p)
            pack_right<P>(right + p * S::right_panel, b + q0, q, p * width,
                          std::min(width, columns - p * width));
        for (i64 m = m0; m < m1; m += S::result_block) {
            const i64 results = std::min(S::result_block, m1 - m);
            pack_left<P>(left, a + q0, q, m, results);
            for (i64 p = 0; p < panels; ++p)
                for (i64 i = 0; i < results; i += height) {
                    alignas(64) OuterSums<P> sums;
                    typename P::Real* to[height];
                    const i64 valid = std::min(height, results - i), n = p * width;
                    for (i64 r = 0; r < valid; ++r) {
                        to[r] = find_row(m + i + r);
                        if (to[r]) __builtin_prefetch(to[r] + n, 1);
                    }
                    multiply_outer_tile<P>(sums, groups, left + i / height * S::left_panel,
                                           right + p * S::right_panel);
                    const i64 units = std::min(width, columns - n);
                    for (i64 r = 0; r < valid; ++r) {
                        if (!to[r]) continue;
                        store_sums(to[r] + n, sums + r * width, units, assign && q0 == 0);
                    }
                }
        }
    }
}

}  // namespace sluice::SLUICE_ISA
