// Vectors of 64 bytes, and the registers of the instruction set that they are made of.
#pragma once

#include <cstdint>
#include <cstring>
#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

// Everything that passes vectors by value is inlined: no ABI is involved.
#pragma GCC diagnostic ignored "-Wpsabi"

#ifndef SLUICE_ISA
#define SLUICE_ISA generic
#endif

namespace sluice::SLUICE_ISA {

using i64 = int64_t;

#if defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512DQ__)
constexpr int register_bytes = 64;
#elif defined(__AVX2__) && defined(__FMA__)
constexpr int register_bytes = 32;
#else
constexpr int register_bytes = 16;
#endif

#if defined(__AVX512F__) || defined(__aarch64__)
constexpr int register_count = 32;
#else
constexpr int register_count = 16;
#endif

template <class T> constexpr int lanes = 64 / sizeof(T);
template <class T> constexpr int register_lanes = register_bytes / sizeof(T);

template <class T> struct Vectors {
    typedef T vector __attribute__((vector_size(64)));
    typedef T reg __attribute__((vector_size(register_bytes)));
    typedef T loose __attribute__((vector_size(register_bytes), aligned(1), may_alias));
};
template <class T> using Vector = typename Vectors<T>::vector;
template <class T> using Register = typename Vectors<T>::reg;

template <class T> [[gnu::always_inline]] static inline Register<T> load(const void* from) {
    return *static_cast<const typename Vectors<T>::loose*>(from);
}

template <class T> [[gnu::always_inline]] static inline void store(void* to, Register<T> value) {
    *static_cast<typename Vectors<T>::loose*>(to) = value;
}

// The first `count` numbers of a vector, of which no others are read; zeros after them.
template <class T>
[[gnu::always_inline]] static inline Vector<T> load_first(const T* from, i64 count) {
    Vector<T> found = {};
    if (count == lanes<T>) {
        memcpy(&found, from, sizeof found);
        return found;
    }
#if defined(__AVX512F__)
    if constexpr (sizeof(T) == 4)
        return (Vector<T>)_mm512_maskz_loadu_epi32(__mmask16((1u << count) - 1), from);
    else return (Vector<T>)_mm512_maskz_loadu_epi64(__mmask8((1u << count) - 1), from);
#else
    for (i64 k = 0; k < count; ++k) found[k] = from[k];
    return found;
#endif
}

// x - 0 is x for every x, the negative zero included.
template <class T> [[gnu::always_inline]] static inline Register<T> splat(T x) {
    return x - Register<T>{};
}

[[gnu::always_inline]] static inline Register<float> fma(Register<float> a, Register<float> b,
                                                         Register<float> c) {
#if defined(__aarch64__)
    return (Register<float>)vfmaq_f32((float32x4_t)c, (float32x4_t)a, (float32x4_t)b);
#endif
    if constexpr (register_bytes == 16) return a * b + c;
#if defined(__AVX512F__)
    return (Register<float>)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
#elif defined(__FMA__) && defined(__AVX2__)
    return (Register<float>)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c);
#endif
}

[[gnu::always_inline]] static inline Register<double> fma(Register<double> a, Register<double> b,
                                                          Register<double> c) {
#if defined(__aarch64__)
    return (Register<double>)vfmaq_f64((float64x2_t)c, (float64x2_t)a, (float64x2_t)b);
#endif
    if constexpr (register_bytes == 16) return a * b + c;
#if defined(__AVX512F__)
    return (Register<double>)_mm512_fmadd_pd((__m512d)a, (__m512d)b, (__m512d)c);
#elif defined(__FMA__) && defined(__AVX2__)
    return (Register<double>)_mm256_fmadd_pd((__m256d)a, (__m256d)b, (__m256d)c);
#endif
}

[[gnu::always_inline]] static inline float float_from_bits(uint32_t bits) {
    return __builtin_bit_cast(float, bits);
}

[[gnu::always_inline]] static inline uint32_t bits_from_float(float x) {
    return __builtin_bit_cast(uint32_t, x);
}

[[gnu::always_inline]] static inline uint32_t load_word(const void* from) {
    uint32_t word;
    memcpy(&word, from, sizeof word);
    return word;
}

constexpr i64 round_up(i64 n, i64 to) { return (n + to - 1) / to * to; }

}  // namespace sluice::SLUICE_ISA
