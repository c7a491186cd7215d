// The micro-kernel: a few rows times one panel of packed weights, every sum in a register.
#pragma once

#include "policy.h"

#include <utility>

namespace sluice::SLUICE_ISA {

// One accumulator for each output, in ascending k: a row's sums never depend on other rows.
template <class P, int rows, int width, int part = 0>
[[gnu::always_inline]] static inline void multiply_group(
    Register<typename P::Acc> (&sum)[rows][width], const typename P::A* a, i64 a_row,
    const typename P::B* b) {
    constexpr int step = register_bytes / sizeof(typename P::B);
    decltype(P::template load_right<part>(b)) right[width];
#pragma GCC unroll 8
    for (int n = 0; n < width; ++n) right[n] = P::template load_right<part>(b + n * step);
#pragma GCC unroll 16
    for (int m = 0; m < rows; ++m) {
        const auto left = P::template broadcast_left<part>(a + m * a_row);
#pragma GCC unroll 8
        for (int n = 0; n < width; ++n) sum[m][n] = P::multiply_add(sum[m][n], left, right[n]);
    }
    if constexpr (part + 1 < P::parts) multiply_group<P, rows, width, part + 1>(sum, a, a_row, b);
}

// a[m * a_row + g * a_step] is the group g of row m; b + g * b_step its `width` registers.
template <class P, int rows, int width>
[[gnu::always_inline]] static inline void multiply(Register<typename P::Acc> (&sum)[rows][width],
                                                   i64 groups, const typename P::A* a, i64 a_row,
                                                   i64 a_step, const typename P::B* b, i64 b_step) {
#pragma GCC unroll 2
    for (i64 g = 0; g < groups; ++g) {
        multiply_group<P, rows, width>(sum, a, a_row, b);
        a += a_step;
        b += b_step;
    }
}

// Rows of the largest tile of nv vectors whose sums fit in registers beside the operands.
template <class P> constexpr int max_tile_rows(int nv) {
    if (register_bytes == 64) return nv == 1 ? 14 : nv == 2 ? 12 : nv == 3 ? 8 : 6;
    return register_bytes == 32 ? 6 : 4;
}

// Registers of a row that are summed at once: all, or as many as there is room for.
constexpr int slice_width(int rows, int nv) {
    const int all = nv * 64 / register_bytes;
    const int fewest = register_bytes == 64 ? 4 : register_count / 8;
    const int limit = fewest * (register_bytes == 64 || rows > 2 ? 1 : rows == 2 ? 2 : 4);
    return all < limit ? all : all % limit ? fewest : limit;
}

template <class P, int rows, int nv>
[[gnu::noinline]] static void compute_tile(typename P::Acc* out, i64 ld_out, i64 groups,
                                           const typename P::A* a, i64 ld_a, const typename P::B* b,
                                           const typename P::Acc* init, i64 ld_init) {
    using Acc = typename P::Acc;
    constexpr int width = slice_width(rows, nv), L = register_lanes<Acc>;
    for (int n = 0; n < nv * lanes<Acc>; n += width * L) {
        Register<Acc> sum[rows][width] = {};
        if (init) {
#pragma GCC unroll 16
            for (int m = 0; m < rows; ++m)
#pragma GCC unroll 8
                for (int i = 0; i < width; ++i)
                    sum[m][i] = load<Acc>(init + m * ld_init + n + i * L);
        }
        multiply<P, rows, width>(sum, groups, a, ld_a, P::group, b + n * P::group,
                                 nv * lanes<Acc> * P::group);
#pragma GCC unroll 16
        for (int m = 0; m < rows; ++m)
#pragma GCC unroll 8
            for (int i = 0; i < width; ++i) store<Acc>(out + m * ld_out + n + i * L, sum[m][i]);
    }
}

template <class P>
using TileFunction = void (*)(typename P::Acc*, i64, i64, const typename P::A*, i64,
                              const typename P::B*, const typename P::Acc*, i64);

constexpr int max_rows = register_bytes == 64 ? 14 : 6;

template <class P, int nv, int rows> constexpr TileFunction<P> tile_function() {
    if constexpr (rows <= max_tile_rows<P>(nv)) return compute_tile<P, rows, nv>;
    return nullptr;
}

template <class P> struct TileTable {
    TileFunction<P> functions[4][max_rows];

    template <int nv, int... rows> constexpr void fill(std::integer_sequence<int, rows...>) {
        ((functions[nv - 1][rows] = tile_function<P, nv, rows + 1>()), ...);
    }
    constexpr TileTable() : functions{} {
        constexpr auto all = std::make_integer_sequence<int, max_rows>();
        fill<1>(all), fill<2>(all), fill<3>(all), fill<4>(all);
    }
};

// out[m * ld_out + n * L + l] = init(m, n, l) + the sum over k of a[m * ld_a + k] times the panel.
// out may be init. A null init is zero; with ld_init 0 every row starts from the same one.
template <class P>
static inline void multiply_tile(int nv, int rows, typename P::Acc* out, i64 ld_out, i64 groups,
                                 const typename P::A* a, i64 ld_a, const typename P::B* b,
                                 const typename P::Acc* init, i64 ld_init) {
    static constexpr TileTable<P> table;
    table.functions[nv - 1][rows - 1](out, ld_out, groups, a, ld_a, b, init, ld_init);
}

}  // namespace sluice::SLUICE_ISA
