// Bringing weights and operands to the form in which the micro-kernel reads them.
#pragma once

#include <algorithm>
#include <cmath>

#include "policy.h"

namespace sluice::SLUICE_ISA {

static inline __attribute__((always_inline)) uint16_t bf16(float value) {
    uint32_t bits;
    std::memcpy(&bits, &value, sizeof bits);
    if ((bits & 0x7fffffffu) > 0x7f800000u) return uint16_t((bits >> 16) | 64);
    return uint16_t((bits + 0x7fffu + ((bits >> 16) & 1)) >> 16);
}

// Round to bfloat16, to nearest, ties to even.
static inline void to_bf16(uint16_t* out, const float* in, i64 n) {
    i64 k = 0;
#if defined(__AVX512BF16__)
    for (; k + 16 <= n; k += 16)
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + k),
                            (__m256i)_mm512_cvtneps_pbh(_mm512_loadu_ps(in + k)));
#endif
    for (; k < n; ++k) out[k] = bf16(in[k]);
}

// Quantise a row by its greatest magnitude; returns what a step of one stands for.
static inline float quantise_row(uint8_t* out, const float* in, i64 n, i64 padded) {
    float greatest = 0, sum = 0;
    for (i64 k = 0; k < n; ++k) greatest = std::max(greatest, std::fabs(in[k])), sum += in[k];
    std::fill(out + n, out + padded, uint8_t(128));
    if (!(std::fabs(sum) <= 3e38f) || greatest == 0) {
        std::fill(out, out + n, uint8_t(128));
        return std::fabs(sum) <= 3e38f ? 0.0f : NAN;
    }
    const float scale = 127.0f / greatest;
    for (i64 k = 0; k < n; ++k) out[k] = uint8_t(int(std::lrintf(in[k] * scale)) + 128);
    return greatest / 127.0f;
}

template <class P> static inline __attribute__((always_inline)) typename P::B converted(typename P::Real value) {
    if constexpr (P::group == 2) return bf16(value);
    else return typename P::B(value);
}

// Rows of weights, one a unit (null: zeros), to a panel: element (k, n, l) is rows[n·L + l][k].
template <class P>
static void pack_rows(typename P::B* panel, int nv, const typename P::Real* const* rows, i64 k) {
    constexpr i64 L = lanes<typename P::Acc>, G = P::group;
    const i64 groups = (k + G - 1) / G;
    for (i64 u = 0; u < nv * L; ++u) {
        const auto* row = rows[u];
        typename P::B* to = panel + u * G;
        for (i64 g = 0; g < groups; ++g)
            for (i64 j = 0; j < G; ++j) {
                const i64 at = g * G + j;
                to[g * nv * L * G + j] = row && at < k ? converted<P>(row[at]) : typename P::B(0);
            }
    }
}

// As `pack_rows`, of a matrix that lies the other way: element (k, n, l) is columns[k][n·L + l].
template <class P>
static void pack_columns(typename P::B* panel, int nv, const typename P::Real* const* columns, i64 k,
                         i64 units) {
    constexpr i64 L = lanes<typename P::Acc>, G = P::group;
    const i64 groups = (k + G - 1) / G;
    for (i64 at = 0; at < groups * G; ++at) {
        const auto* column = at < k ? columns[at] : nullptr;
        typename P::B* to = panel + at / G * nv * L * G + at % G;
        for (i64 u = 0; u < nv * L; ++u)
            to[u * G] = column && u < units ? converted<P>(column[u]) : typename P::B(0);
    }
}

// Rows of weights to signed bytes, each by its own scale; `offset`: what operands' 128 adds.
static inline void pack_rows_int8(int8_t* panel, int nv, const float* const* rows, i64 k,
                                  float* scale, int32_t* offset) {
    constexpr i64 L = lanes<int32_t>;
    const i64 groups = (k + 3) / 4;
    for (i64 u = 0; u < nv * L; ++u) {
        float greatest = 0;
        for (i64 at = 0; rows[u] && at < k; ++at) greatest = std::max(greatest, std::fabs(rows[u][at]));
        const float inverse = greatest > 0 ? 127.0f / greatest : 0.0f;
        int32_t sum = 0;
        for (i64 at = 0; at < groups * 4; ++at) {
            const int q = rows[u] && at < k ? int(std::lrintf(rows[u][at] * inverse)) : 0;
            sum += q;
            panel[at / 4 * nv * L * 4 + u * 4 + at % 4] = int8_t(q);
        }
        scale[u] = greatest / 127.0f;
        offset[u] = 128 * sum;
    }
}

}  // namespace sluice::SLUICE_ISA
