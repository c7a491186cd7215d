// The maps of an int8 layer's input in bfloat16: int8 loses rows of features with outliers.
#pragma once

#include <memory>

#include "matrix.h"
#include "pool.h"

namespace sluice::SLUICE_ISA {

// One map of the input in bfloat16, and the choice between it and int8. Each row is chosen for by
// itself, so that no value depends on the rows beside it.
class InputMatrix {
public:
    PackedMatrix<BF16> matrix;

    // `is_cheap`: the whole map is so small beside the step's that no row needs int8.
    InputMatrix(const Matrix& m, bool interleaved, bool is_cheap)
        : matrix(m, interleaved), m_(m), is_cheap_(is_cheap), moments_(size_t(matrix.panels())) {}

    i64 panels() const { return matrix.panels(); }
    void pack(i64 panel, const float* const* parameters, PackedMatrix<BF16>::Scratch& scratch) {
        matrix.pack(panel, parameters, scratch);
        if (!is_cheap_) measure_rows(panel, parameters[m_.weight]);
    }
    // When all panels are packed.
    void finish() {
        for (const Moments& part : moments_) mean_.add(part.peak, part.energy);
        const float rows = float(m_.gates() * m_.width);
        mean_ = {mean_.peak / (rows * float(m_.heads)), mean_.energy / rows};
    }

    // A row in int8 and its scale, or in bfloat16 and a scale below zero; there is room for either.
    float convert(uint8_t* row, const float* from, i64 length, i64 padded) const {
        if (!is_cheap_) {
            const float scale = quantise_row(row, from, length, padded);
            if (rounds_little(row, length, scale)) return scale;
        }
        auto* wide = reinterpret_cast<uint16_t*>(row);
        convert_to_bf16(wide, from, length);
        std::fill(wide + length, wide + matrix.operand_length(), uint16_t(0));
        return -1;
    }

private:
    // Of rows of weights, summed: the squares of the largest magnitude and of all.
    struct Moments {
        float peak = 0, energy = 0;
        void add(float p, float e) { peak += p, energy += e; }
    };
    // The root mean square, over units, of what int8 may add to a sum: a sigmoid moves by a fourth.
    static constexpr float max_rounding = 0.01f;

    const Matrix& m_;
    bool is_cheap_;
    std::vector<Moments> moments_;  // of the rows that were measured with each panel
    Moments mean_;

    void measure_rows(i64 panel, const float* weight) {
        const i64 rows = m_.gates() * m_.width, panels = matrix.panels();
        for (i64 k = rows * panel / panels; k < rows * (panel + 1) / panels; ++k) {
            const i64 row = m_.starts[size_t(k / m_.width)] + k % m_.width;
            const float* from = weight + row * m_.columns;
            const float largest = max_magnitude(from, m_.columns);
            moments_[size_t(panel)].add(largest * largest, sum_squares(from, m_.columns));
        }
    }
    static float sum_squares(const float* from, i64 n) {
        constexpr i64 L = lanes<float>;
        float lane[L] = {}, total = 0;
        i64 k = 0;
        for (; k + L <= n; k += L)
            for (i64 l = 0; l < L; ++l) lane[l] += from[k + l] * from[k + l];
        for (; k < n; ++k) total += from[k] * from[k];
        for (float value : lane) total += value;
        return total;
    }
    // Weights and operands are rounded to steps of 1/127 of the largest: errors are uniform within a
    // step and independent. False for what is not finite. Not inlined, so that layers and streams
    // round alike.
    [[gnu::noinline]] bool rounds_little(const uint8_t* row, i64 length, float scale) const {
        i64 energy = 0;
        for (i64 first = 0; first < length; first += 4096) {
            int32_t part = 0;
            for (i64 k = first; k < std::min(length, first + 4096); ++k)
                part += (row[k] - 128) * (row[k] - 128);
            energy += part;
        }
        const float variance =
            scale * scale / 12 * (mean_.peak * float(energy) / (127 * 127) + mean_.energy);
        return variance <= max_rounding * max_rounding;
    }
};

// The maps of the input of one layer's program.
class InputMatrices {
public:
    InputMatrices(const Program& program, const float* const* parameters, int threads)
        : matrices_(program.matrices.size()) {
        const bool is_cheap = max_cost * count_weights(program, program.hoisted) <=
                              count_weights(program, program.forward);
        for (const Phase& phase : program.hoisted)
            for (const Product& p : phase.products)
                matrices_[size_t(p.matrix)] =
                    std::make_unique<InputMatrix>(program.matrices[size_t(p.matrix)],
                                                  program.is_interleaved(p), is_cheap);
        pack_panels<PackedMatrix<BF16>::Scratch>(matrices_, parameters, threads);
        for (const auto& m : matrices_)
            if (m) m->finish();
    }
    // Null for a matrix that does not map the input.
    const InputMatrix* find(i64 k) const { return matrices_[size_t(k)].get(); }

private:
    static constexpr i64 max_cost = 4;  // times as many weights in the step's maps
    std::vector<std::unique_ptr<InputMatrix>> matrices_;

    static i64 count_weights(const Program& program, const std::vector<Phase>& phases) {
        i64 found = 0;
        for (const Phase& phase : phases)
            for (const Product& p : phase.products) {
                const Matrix& m = program.matrices[size_t(p.matrix)];
                found += m.gates() * m.width * m.columns;
            }
        return found;
    }
};

}  // namespace sluice::SLUICE_ISA
