// Row maps: reductions and rearrangements of a row of numbers that lie side by side.
#pragma once

#include <algorithm>

#include "program.h"

namespace sluice::SLUICE_ISA {

template <class Real> Real sum_lanes(const Real* lane) {
    constexpr i64 L = lanes<Real>;
    Real half[L];
    std::copy_n(lane, L, half);
    for (i64 n = L / 2; n > 0; n /= 2)
        for (i64 l = 0; l < n; ++l) half[l] += half[l + n];
    return half[0];
}

// The order of the additions depends on `count` alone.
template <class Real> Real sum_row(const Real* from, i64 count) {
    constexpr i64 L = lanes<Real>;
    Real sums[L] = {};
    const i64 whole = count / L * L;
    for (i64 u = 0; u < whole; u += L)
        for (i64 l = 0; l < L; ++l) sums[l] += from[u + l];
    for (i64 u = whole; u < count; ++u) sums[u - whole] += from[u];
    return sum_lanes(sums);
}

// NaN where one of the numbers is.
template <class Real> Real find_maximum(const Real* from, i64 count) {
    Real found = from[0];
    for (i64 u = 1; u < count; ++u)
        found = from[u] > found || from[u] != from[u] ? from[u] : found;
    return found;
}

// In place of each number its part of 1, divided among those that are the maximum.
template <class Real> void share_maximum(const Real* from, i64 count, Real* to) {
    const Real peak = find_maximum(from, count);
    Real reached = 0;
    for (i64 u = 0; u < count; ++u) reached += Real(from[u] == peak);
    for (i64 u = 0; u < count; ++u) to[u] = Real(from[u] == peak) / reached;
}

// Sums of `times` rows of `inner` numbers each.
template <class Real> void sum_tiles(const Real* from, i64 times, i64 inner, Real* to) {
    std::copy_n(from, inner, to);
    for (i64 k = 1; k < times; ++k)
        for (i64 u = 0; u < inner; ++u) to[u] += from[k * inner + u];
}

// One group of `m`, from its operand to its result.
template <class Real>
void map_group(const RowOperation& m, const Real* __restrict from, Real* __restrict to) {
    const i64 times = m.times, inner = m.inner;
    switch (m.kind) {
    case RowOperationKind::sum: to[0] = sum_row(from, times); break;
    case RowOperationKind::sum_tiles: sum_tiles(from, times, inner, to); break;
    case RowOperationKind::repeat: std::fill_n(to, times, from[0]); break;
    case RowOperationKind::tile:
        for (i64 k = 0; k < times; ++k) std::copy_n(from, inner, to + k * inner);
        break;
    case RowOperationKind::maximum: to[0] = find_maximum(from, times); break;
    case RowOperationKind::maximum_share: share_maximum(from, times, to); break;
    case RowOperationKind::cumulative_sum:
        to[0] = from[0];
        for (i64 u = 1; u < times; ++u) to[u] = to[u - 1] + from[u];
        break;
    case RowOperationKind::reverse_cumulative_sum:
        to[times - 1] = from[times - 1];
        for (i64 u = times - 1; u-- > 0;) to[u] = to[u + 1] + from[u];
    }
}

template <class Real> void map_row(const RowOperation& m, const Real* from, Real* to) {
    const i64 read = m.units() / m.groups, written = m.results() / m.groups;
    for (i64 g = 0; g < m.groups; ++g) map_group(m, from + g * read, to + g * written);
}

}  // namespace sluice::SLUICE_ISA
