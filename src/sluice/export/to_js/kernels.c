/* The products of matrices and vectors in WebAssembly with SIMD; arrays are places in one memory,
   of floats in floats and of bytes in bytes. Four rows at once; of fewer the last one again.
   Nothing may lie on a stack, whose place is that of the weights: loops over rows are unrolled. */
#include <wasm_simd128.h>

#define FLOATS(place) ((float *)((unsigned)(place) * 4u))
#define BYTES(place) ((const signed char *)(unsigned)(place))
#define EACH_ROW _Pragma("clang loop unroll(full)") for (int k = 0; k < 4; k++)
#define LEAST(a, b) ((a) < (b) ? (a) : (b))

static float add_lanes(v128_t sum)
{
    return wasm_f32x4_extract_lane(sum, 0) + wasm_f32x4_extract_lane(sum, 1)
        + wasm_f32x4_extract_lane(sum, 2) + wasm_f32x4_extract_lane(sum, 3);
}

__attribute__((export_name("map"))) void map(int out, int w, int b, int x, int rows, int columns)
{
    const float *given = FLOATS(x);
    for (int r = 0; r < rows; r += 4) {
        const int last = rows - 1 - r;
        const float *row[4];
        v128_t sums[4];
        EACH_ROW {
            row[k] = FLOATS(w) + (r + LEAST(k, last)) * columns;
            sums[k] = wasm_f32x4_splat(0.0f);
        }
        int c = 0;
        for (; c + 4 <= columns; c += 4) {
            const v128_t z = wasm_v128_load(given + c);
            EACH_ROW
                sums[k] = wasm_f32x4_add(sums[k], wasm_f32x4_mul(wasm_v128_load(row[k] + c), z));
        }
        EACH_ROW if (k <= last) {
            float sum = add_lanes(sums[k]);
            for (int rest = c; rest < columns; rest++) sum += row[k][rest] * given[rest];
            FLOATS(out)[r + k] = sum + (b >= 0 ? FLOATS(b)[r + k] : 0.0f);
        }
    }
}

__attribute__((export_name("mapInt8"))) void map_int8(int out, int w, int scale, int b, int x,
                                                      int rows, int columns)
{
    const float *given = FLOATS(x);
    for (int r = 0; r < rows; r += 4) {
        const int last = rows - 1 - r;
        const signed char *row[4];
        v128_t sums[4];
        EACH_ROW {
            row[k] = BYTES(w) + (r + LEAST(k, last)) * columns;
            sums[k] = wasm_f32x4_splat(0.0f);
        }
        int c = 0;
        for (; c + 8 <= columns; c += 8) {
            const v128_t low = wasm_v128_load(given + c), high = wasm_v128_load(given + c + 4);
            EACH_ROW {
                const v128_t bytes = wasm_i16x8_load8x8(row[k] + c);
                const v128_t one = wasm_f32x4_convert_i32x4(wasm_i32x4_extend_low_i16x8(bytes));
                const v128_t two = wasm_f32x4_convert_i32x4(wasm_i32x4_extend_high_i16x8(bytes));
                sums[k] = wasm_f32x4_add(sums[k], wasm_f32x4_mul(one, low));
                sums[k] = wasm_f32x4_add(sums[k], wasm_f32x4_mul(two, high));
            }
        }
        EACH_ROW if (k <= last) {
            float sum = add_lanes(sums[k]);
            for (int rest = c; rest < columns; rest++) sum += (float)row[k][rest] * given[rest];
            FLOATS(out)[r + k] = sum * FLOATS(scale)[r + k] + (b >= 0 ? FLOATS(b)[r + k] : 0.0f);
        }
    }
}
