// Transposes of squares of words, in registers.
#pragma once

#include <utility>

#include "vector.h"

namespace sluice::SLUICE_ISA {

constexpr int lane_bytes = 16;  // what shuffles within lanes do not leave

template <class Word, int unit, bool high, size_t... i>
[[gnu::always_inline]] static inline Register<Word>
interleave(Register<Word> a, Register<Word> b, std::index_sequence<i...>) {
    constexpr int N = register_lanes<Word>, lane = lane_bytes / sizeof(Word);
    return __builtin_shufflevector(
        a, b,
        (int(i) / lane * lane + (high ? lane / 2 : 0) + int(i) % lane / (2 * unit) * unit +
         int(i) % unit + int(i) / unit % 2 * N)...);
}

// In every lane, units of `unit` words of a and b in turn: of their lower halves, or their upper.
template <class Word, int unit, bool high>
[[gnu::always_inline]] static inline Register<Word> interleave(Register<Word> a, Register<Word> b) {
    return interleave<Word, unit, high>(a, b, std::make_index_sequence<register_lanes<Word>>());
}

template <class Word, bool odd, size_t... i>
[[gnu::always_inline]] static inline Register<Word>
pick_lanes(Register<Word> a, Register<Word> b, std::index_sequence<i...>) {
    constexpr int N = register_lanes<Word>, lane = lane_bytes / sizeof(Word);
    return __builtin_shufflevector(
        a, b, (int(i) % (N / 2) / lane * 2 * lane + (odd ? lane : 0) + int(i) % lane +
               int(i) / (N / 2) * N)...);
}

// The even lanes of a, then those of b; or the odd ones.
template <class Word, bool odd>
[[gnu::always_inline]] static inline Register<Word> pick_lanes(Register<Word> a, Register<Word> b) {
    return pick_lanes<Word, odd>(a, b, std::make_index_sequence<register_lanes<Word>>());
}

// Transpose a square of as many registers as each has words: first within lanes, then whole lanes.
template <class Word>
[[gnu::always_inline]] static inline void
transpose_square(Register<Word> (&rows)[register_lanes<Word>]) {
    constexpr int N = register_lanes<Word>, lane = lane_bytes / sizeof(Word), lanes = N / lane;
#pragma GCC unroll 8
    for (int i = 0; i < N; i += lane) {
        Register<Word>* r = rows + i;
        const auto low = interleave<Word, 1, false>(r[0], r[1]),
                   high = interleave<Word, 1, true>(r[0], r[1]);
        r[0] = low, r[1] = high;
        if constexpr (lane == 4) {
            const auto low2 = interleave<Word, 1, false>(r[2], r[3]),
                       high2 = interleave<Word, 1, true>(r[2], r[3]);
            r[0] = interleave<Word, 2, false>(low, low2), r[1] = interleave<Word, 2, true>(low, low2);
            r[2] = interleave<Word, 2, false>(high, high2);
            r[3] = interleave<Word, 2, true>(high, high2);
        }
    }
    if constexpr (lanes == 2) {
#pragma GCC unroll 8
        for (int i = 0; i < lane; ++i) {
            const auto a = rows[i], b = rows[i + lane];
            rows[i] = pick_lanes<Word, false>(a, b), rows[i + lane] = pick_lanes<Word, true>(a, b);
        }
    } else if constexpr (lanes == 4) {
#pragma GCC unroll 8
        for (int i = 0; i < lane; ++i) {
            Register<Word>* r = rows + i;
            const auto even = pick_lanes<Word, false>(r[0], r[lane]),
                       odd = pick_lanes<Word, true>(r[0], r[lane]),
                       even2 = pick_lanes<Word, false>(r[2 * lane], r[3 * lane]),
                       odd2 = pick_lanes<Word, true>(r[2 * lane], r[3 * lane]);
            r[0] = pick_lanes<Word, false>(even, even2), r[lane] = pick_lanes<Word, false>(odd, odd2);
            r[2 * lane] = pick_lanes<Word, true>(even, even2);
            r[3 * lane] = pick_lanes<Word, true>(odd, odd2);
        }
    }
}

// Transpose a square of 64-byte rows, `from` row i being at(i): row k goes to `to + k * step`.
template <class Word, class Rows>
[[gnu::always_inline]] static inline void transpose_block(Word* to, i64 step, Rows at) {
    constexpr int N = register_lanes<Word>, L = lanes<Word>;
    for (int i = 0; i < L; i += N)
        for (int k = 0; k < L; k += N) {
            Register<Word> square[N];
#pragma GCC unroll 16
            for (int j = 0; j < N; ++j) square[j] = load<Word>(at(i + j) + k);
            transpose_square<Word>(square);
#pragma GCC unroll 16
            for (int j = 0; j < N; ++j) store<Word>(to + (k + j) * step + i, square[j]);
        }
}

}  // namespace sluice::SLUICE_ISA
