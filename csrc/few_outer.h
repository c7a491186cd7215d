// Gradients of weights from few rows: outer products summed straight into the gradients.
#pragma once

#include "vector.h"

namespace sluice::SLUICE_ISA {

constexpr i64 max_few_rows = 16;

// `height` rows of C, at `to`, of results `m`: as `add_outer_products` for these.
template <class Real, int height, int width, bool assign>
[[gnu::always_inline]] static inline void
add_few_to_tile(Real* const* to, const i64* m, i64 n, i64 rows, const Real* const* a,
                const Real* const* b) {
    constexpr i64 L = register_lanes<Real>;
    Register<Real> sum[height][width] = {};
    for (i64 q = 0; q < rows; ++q) {
        Register<Real> right[width];
#pragma GCC unroll 4
        for (int i = 0; i < width; ++i) right[i] = load<Real>(b[q] + n + i * L);
#pragma GCC unroll 4
        for (int r = 0; r < height; ++r) {
            const auto left = splat(a[q][m[r]]);
#pragma GCC unroll 4
            for (int i = 0; i < width; ++i) sum[r][i] = fma(left, right[i], sum[r][i]);
        }
    }
#pragma GCC unroll 4
    for (int r = 0; r < height; ++r)
#pragma GCC unroll 4
        for (int i = 0; i < width; ++i) {
            Real* out = to[r] + n + i * L;
            store<Real>(out, assign ? sum[r][i] : load<Real>(out) + sum[r][i]);
        }
}

template <class Real, int height, bool assign>
static void add_few_to_rows(Real* const* to, const i64* m, i64 columns, i64 rows,
                            const Real* const* a, const Real* const* b) {
    constexpr i64 L = register_lanes<Real>;
    constexpr int width = register_bytes == 64 ? 4 : 2;
    i64 n = 0;
    for (; n + width * L <= columns; n += width * L)
        add_few_to_tile<Real, height, width, assign>(to, m, n, rows, a, b);
    for (; n + L <= columns; n += L)
        add_few_to_tile<Real, height, 1, assign>(to, m, n, rows, a, b);
    for (; n < columns; ++n)
        for (int r = 0; r < height; ++r) {
            Real sum = 0;
            for (i64 q = 0; q < rows; ++q) sum += a[q][m[r]] * b[q][n];
            to[r][n] = assign ? sum : to[r][n] + sum;
        }
}

// As `add_outer_products`, for at most `max_few_rows` rows.
template <class Real, class FindRow>
void add_few_outer_products(i64 m0, i64 m1, i64 columns, i64 rows, const Real* const* a,
                            const Real* const* b, FindRow find_row, bool assign) {
    constexpr int height = register_bytes == 64 ? 4 : 2;
    const auto add = assign ? add_few_to_rows<Real, height, true>
                            : add_few_to_rows<Real, height, false>;
    const auto add_one = assign ? add_few_to_rows<Real, 1, true> : add_few_to_rows<Real, 1, false>;
    Real* to[height];
    i64 which[height];
    int count = 0;
    for (i64 m = m0; m < m1; ++m) {
        to[count] = find_row(m), which[count] = m;
        count += to[count] != nullptr;
        if (count < height) continue;
        add(to, which, columns, rows, a, b);
        count = 0;
    }
    for (int r = 0; r < count; ++r) add_one(to + r, which + r, columns, rows, a, b);
}

}  // namespace sluice::SLUICE_ISA
