// Multiplication policies: the operands' types, how many k's are grouped, and one multiply-add.
#pragma once

#include "vector.h"

namespace sluice::SLUICE_ISA {

// A policy has `broadcast_left` (a group of a row's elements, in every lane), `load_right` (the
// same group of one register of units) and `multiply_add`. A group takes `parts` multiply-adds;
// each part loads its share again, which costs less than keeping a register.
template <class T> struct Plain {
    using A = T;
    using B = T;
    using Acc = T;
    using Real = T;
    static constexpr int group = 1, parts = 1;

    template <int> [[gnu::always_inline]] static Register<T> broadcast_left(const T* a) {
        return splat(*a);
    }
    template <int> [[gnu::always_inline]] static Register<T> load_right(const T* b) {
        return load<T>(b);
    }
    [[gnu::always_inline]] static Register<T> multiply_add(Register<T> sum, Register<T> a,
                                                           Register<T> b) {
        return fma(a, b, sum);
    }
};

struct F32 : Plain<float> {};
struct F64 : Plain<double> {};

struct BF16 {
    using A = uint16_t;
    using B = uint16_t;
    using Acc = float;
    using Real = float;
    static constexpr int group = 2;

#if defined(__AVX512BF16__)
    static constexpr int parts = 1;
    template <int> [[gnu::always_inline]] static Register<int> broadcast_left(const A* a) {
        return splat(int(load_word(a)));
    }
    template <int> [[gnu::always_inline]] static Register<int> load_right(const B* b) {
        return load<int>(b);
    }
    [[gnu::always_inline]] static Register<float> multiply_add(Register<float> sum, Register<int> a,
                                                               Register<int> b) {
        return (Register<float>)_mm512_dpbf16_ps((__m512)sum, (__m512bh)a, (__m512bh)b);
    }
#else
    // A bfloat16 is the upper half of a float: the word's lower half is the even k.
    static constexpr int parts = 2;
    template <int part>
    [[gnu::always_inline]] static Register<float> widen_half(Register<int> words) {
        if constexpr (part == 0) return (Register<float>)(words << 16);
        return (Register<float>)(words & int(0xffff0000));
    }
    template <int part> [[gnu::always_inline]] static Register<float> broadcast_left(const A* a) {
        return widen_half<part>(splat(int(load_word(a))));
    }
    template <int part> [[gnu::always_inline]] static Register<float> load_right(const B* b) {
        return widen_half<part>(load<int>(b));
    }
    [[gnu::always_inline]] static Register<float> multiply_add(Register<float> sum,
                                                               Register<float> a,
                                                               Register<float> b) {
        return fma(a, b, sum);
    }
#endif
};

// Unsigned activations times signed weights, summed exactly.
struct I8 {
    using A = uint8_t;
    using B = int8_t;
    using Acc = int32_t;
    using Real = float;
    using Words = Register<int32_t>;
    static constexpr int group = 4;

#if defined(__AVX512VNNI__)
    static constexpr int parts = 1;
    template <int> [[gnu::always_inline]] static Words broadcast_left(const A* a) {
        return splat(int32_t(load_word(a)));
    }
    template <int> [[gnu::always_inline]] static Words load_right(const B* b) {
        return load<int32_t>(b);
    }
    [[gnu::always_inline]] static Words multiply_add(Words sum, Words a, Words b) {
        return (Words)_mm512_dpbusd_epi32((__m512i)sum, (__m512i)a, (__m512i)b);
    }
#else
    // Two bytes of each word at a time, widened to 16 bits: their two products fit 32 bits.
    static constexpr int parts = 2;
    template <int part> [[gnu::always_inline]] static Words broadcast_left(const A* a) {
        return splat(int32_t(load_word(a) >> (8 * part) & 0x00ff00ff));
    }
    template <int part> [[gnu::always_inline]] static Words load_right(const B* b) {
        auto bytes = load<int16_t>(b);
        if constexpr (part == 0) bytes <<= 8;
        return (Words)(bytes >> 8);
    }
    [[gnu::always_inline]] static Words multiply_add(Words sum, Words a, Words b) {
        return sum + multiply_pairs(a, b);
    }
#if defined(__AVX512BW__)
    [[gnu::always_inline]] static Words multiply_pairs(Words a, Words b) {
        return (Words)_mm512_madd_epi16((__m512i)a, (__m512i)b);
    }
#elif defined(__AVX2__)
    [[gnu::always_inline]] static Words multiply_pairs(Words a, Words b) {
        return (Words)_mm256_madd_epi16((__m256i)a, (__m256i)b);
    }
#elif defined(__SSE2__)
    [[gnu::always_inline]] static Words multiply_pairs(Words a, Words b) {
        return (Words)_mm_madd_epi16((__m128i)a, (__m128i)b);
    }
#elif defined(__aarch64__)
    [[gnu::always_inline]] static Words multiply_pairs(Words a, Words b) {
        const auto left = (int16x8_t)a, right = (int16x8_t)b;
        return (Words)vpaddq_s32(vmull_s16(vget_low_s16(left), vget_low_s16(right)),
                                 vmull_high_s16(left, right));
    }
#else
    [[gnu::always_inline]] static Words multiply_pairs(Words a, Words b) {
        return (a << 16 >> 16) * (b << 16 >> 16) + (a >> 16) * (b >> 16);
    }
#endif
#endif
};

// The number of groups that k elements fill, the last one padded with zeros.
template <class P> constexpr i64 group_count(i64 k) { return (k + P::group - 1) / P::group; }

// Elements of the packed panel of nv vectors of units.
template <class P> constexpr i64 panel_size(int nv, i64 k) {
    return nv * lanes<typename P::Acc> * P::group * group_count<P>(k);
}

}  // namespace sluice::SLUICE_ISA
