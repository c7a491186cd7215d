// Packing and conversion of weights and operands to what the micro-kernel reads.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "policy.h"
#include "transpose.h"

namespace sluice::SLUICE_ISA {

static inline __attribute__((always_inline)) uint16_t round_to_bf16(float value) {
    uint32_t bits;
    std::memcpy(&bits, &value, sizeof bits);
    if ((bits & 0x7fffffffu) > 0x7f800000u) return uint16_t((bits >> 16) | 64);
    return uint16_t((bits + 0x7fffu + ((bits >> 16) & 1)) >> 16);
}

// Round to bfloat16, to nearest, ties to even.
static inline void convert_to_bf16(uint16_t* out, const float* in, i64 n) {
    i64 k = 0;
#if defined(__AVX512BF16__)
    for (; k + 16 <= n; k += 16)
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + k),
                            (__m256i)_mm512_cvtneps_pbh(_mm512_loadu_ps(in + k)));
#endif
    for (; k < n; ++k) out[k] = round_to_bf16(in[k]);
}

// The largest magnitude of n numbers; NaN or infinite where one is. The bits of magnitudes,
// compared as integers, have the order of the magnitudes.
static inline float max_magnitude(const float* in, i64 n) {
    uint32_t found = 0;
    for (i64 k = 0; k < n; ++k) {
        uint32_t bits;
        std::memcpy(&bits, in + k, sizeof bits);
        found = std::max(found, bits & 0x7fffffffu);
    }
    return float_from_bits(found);
}

constexpr float float_max = std::numeric_limits<float>::max();

// Quantise a row by its largest magnitude, and return its scale.
static inline float quantise_row(uint8_t* out, const float* in, i64 n, i64 padded) {
    const float largest = max_magnitude(in, n);
    std::fill(out + n, out + padded, uint8_t(128));
    if (!(largest > 0 && largest <= float_max)) {
        std::fill(out, out + n, uint8_t(128));
        return largest == 0 ? 0.0f : NAN;
    }
    const float scale = 127.0f / largest;
    for (i64 k = 0; k < n; ++k) out[k] = uint8_t(int(std::rint(in[k] * scale)) + 128);
    return largest / 127.0f;
}

// The group of k's that the micro-kernel reads at once for one unit, as one word.
template <class P> struct PackedWord {
    using type = typename P::Real;
};
template <> struct PackedWord<BF16> {
    using type = uint32_t;
};
template <> struct PackedWord<I8> {
    using type = uint32_t;
};

// 64 bytes of a row's words from k on; zeros beyond its end and for a null row.
template <class P>
static inline Vector<typename PackedWord<P>::type> load_words(const typename P::Real* row, i64 k,
                                                              i64 end) {
    using Word = typename PackedWord<P>::type;
    constexpr i64 L = lanes<Word>;
    Vector<Word> found = {};
    const i64 count = std::min(end - k, L * P::group);
    if (!row || count <= 0) return found;
    if constexpr (P::group == 2) {
        uint16_t narrow[2 * L] = {};
        convert_to_bf16(narrow, row + k, count);
        std::memcpy(&found, narrow, sizeof found);
    } else {
        return load_first(row + k, count);
    }
    return found;
}

// Pack a panel of words; words(u, g) returns 64 bytes of unit u's words from g on.
template <class P, class Words>
static void pack_words(typename P::B* panel, int nv, i64 k, Words words) {
    using Word = typename PackedWord<P>::type;
    constexpr int L = lanes<Word>;
    const i64 groups = group_count<P>(k);
    for (int n = 0; n < nv; ++n)
        for (i64 g = 0; g < groups; g += L) {
            Vector<Word> block[L], transposed[L];
            for (int l = 0; l < L; ++l) block[l] = words(n * L + l, g);
            transpose_block(reinterpret_cast<Word*>(transposed), L,
                            [&](int l) { return reinterpret_cast<const Word*>(&block[l]); });
            for (i64 i = 0; i < std::min<i64>(L, groups - g); ++i)
                std::memcpy(panel + ((g + i) * nv + n) * L * P::group, &transposed[i], 64);
        }
}

// Pack `count` k's from k0 on of rows of weights, one a unit (null: zeros): element (k, n, l) is
// rows[n·L + l][k0 + k].
template <class P>
static void pack_rows(typename P::B* panel, int nv, const typename P::Real* const* rows, i64 k0,
                      i64 count) {
    i64 done = 0;
    if constexpr (P::group == 1) {
        constexpr int L = lanes<typename P::Real>;
        const bool complete = std::find(rows, rows + nv * L, nullptr) == rows + nv * L;
        for (; complete && done + L <= count; done += L)
            for (int n = 0; n < nv; ++n)
                transpose_block(panel + (done * nv + n) * L, nv * L,
                                [&](int l) { return rows[n * L + l] + k0 + done; });
    }
    if (done == count) return;
    pack_words<P>(panel + done * nv * lanes<typename P::Acc>, nv, count - done, [&](int u, i64 g) {
        return load_words<P>(rows[u], k0 + done + g * P::group, k0 + count);
    });
}

// Pack columns of weights: element (k, n, l) is columns[k][n·L + l].
template <class P>
static void pack_columns(typename P::B* panel, int nv, const typename P::Real* const* columns,
                         i64 k, i64 units) {
    constexpr i64 L = lanes<typename P::Acc>, G = P::group;
    for (i64 g = 0; g < group_count<P>(k); ++g, panel += nv * L * G)
        for (i64 j = 0; j < G; ++j) {
            const auto* column = g * G + j < k ? columns[g * G + j] : nullptr;
            if constexpr (G == 1) {
                for (i64 n = 0; n < nv * L; n += L) {
                    Vector<typename P::B> block = {};
                    if (column && n < units) block = load_first(column + n, std::min(units - n, L));
                    std::memcpy(panel + n, &block, sizeof block);
                }
            } else {
                uint16_t narrow[4 * L] = {};
                if (column) convert_to_bf16(narrow, column, std::min(units, nv * L));
                for (i64 u = 0; u < nv * L; ++u) panel[u * G + j] = narrow[u];
            }
        }
}

// 64 weights from k on as signed bytes in units of 1 / inverse; their sum is added to `sum`.
static inline Vector<uint32_t> quantise_words(const float* row, i64 k, i64 end, float inverse,
                                              int32_t& sum) {
    alignas(64) int8_t bytes[64] = {};
    const i64 count = row ? std::min<i64>(end - k, 64) : 0;
    int32_t total = 0;
    for (i64 i = 0; i < count; ++i) {
        const int q = int(std::rint(row[k + i] * inverse));
        total += q;
        bytes[i] = int8_t(q);
    }
    sum += total;
    Vector<uint32_t> found;
    std::memcpy(&found, bytes, sizeof found);
    return found;
}

// Pack rows of weights as signed bytes, each with its own scale. Operands are stored with 128
// added; `offset` is what this adds to each sum.
static inline void pack_rows_int8(int8_t* panel, int nv, const float* const* rows, i64 k,
                                  float* scale, int32_t* offset) {
    constexpr int L = lanes<int32_t>;
    float inverse[4 * L];
    int32_t sum[4 * L] = {};
    for (int u = 0; u < nv * L; ++u) {
        const float largest = rows[u] ? max_magnitude(rows[u], k) : 0.0f;
        inverse[u] = largest > 0 && largest <= float_max ? 127.0f / largest : 0.0f;
        scale[u] = largest / 127.0f;
    }
    pack_words<I8>(panel, nv, k, [&](int u, i64 g) {
        return quantise_words(inverse[u] > 0 ? rows[u] : nullptr, g * 4, k, inverse[u], sum[u]);
    });
    for (int u = 0; u < nv * L; ++u) offset[u] = 128 * sum[u];
}

}  // namespace sluice::SLUICE_ISA
