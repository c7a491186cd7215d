// Products with few rows, straight from the parameters as they lie.
#pragma once

#include "matrix.h"

namespace sluice::SLUICE_ISA {

// A matrix that is multiplied so: a few k's of a panel at a time are packed, stay in the first-level
// cache, and are multiplied by all rows at once. The terms of a sum come in the order of a packed
// matrix. `parameters`, which outlive it, are read at every product.
template <class P> class DirectMatrix : public PanelLayout<P> {
    using Real = typename P::Real;
    using Layout = PanelLayout<P>;
    using Layout::L, Layout::m_, Layout::k_;
    // k's that are packed at once: they and the sums of few rows stay in the first-level cache; many
    // rows need longer pieces, as they load and store their sums for each.
    static constexpr i64 piece_length = 64, long_piece_length = 256, min_rows_of_long_piece = 32;

public:
    using Layout::blocks, Layout::blocks_per_panel;

    DirectMatrix(const Matrix& matrix, bool interleaved, const Real* const* parameters)
        : Layout(matrix, interleaved), weight_(parameters[matrix.weight]),
          bias_(matrix.bias >= 0 ? parameters[matrix.bias] : nullptr) {}

    // Whether a matrix can be one.
    static bool accepts(const Matrix& matrix) { return P::group < 4 && matrix.heads == 1; }

    // What a thread needs for it.
    struct Scratch {
        alignas(64) typename P::B panel[4 * L * long_piece_length];
        alignas(64) Real bias[4 * L];
        const Real* rows[4 * L];            // of the weight, one a unit
        const Real* columns[long_piece_length];  // of a transposed weight, one a k
    };

    // As `PackedMatrix::multiply` does.
    void multiply(const typename P::A* a, i64 ld_a, i64 rows, Real* out, i64 ld_out, i64 out_block,
                  i64 first, i64 last, bool accumulate, Scratch& scratch) const {
        const i64 length = rows < min_rows_of_long_piece ? piece_length : long_piece_length;
        this->visit_panels(first, last, out_block, [&](i64 p, i64 piece, i64 offset) {
            if (!m_->transposed) find_rows(p, piece, scratch);
            Real* to = out + offset;
            const Real* init = accumulate ? to : bias_ ? scratch.bias : nullptr;
            const int nv = this->vectors(p, piece);
            for (i64 k = 0; k < k_; k += length, init = to) {
                const i64 count = std::min(length, k_ - k);
                pack(p, nv, k, count, scratch);
                multiply_rows(nv, rows, to, ld_out, group_count<P>(count), a + k, ld_a,
                              scratch.panel, init, init == to ? ld_out : 0);
            }
        });
    }

private:
    const Real *weight_, *bias_;

    void find_rows(i64 p, i64 piece, Scratch& scratch) const {
        for (i64 u = 0, unit; u < this->vectors(p, piece) * L; ++u) {
            const i64 row = this->find_row(p, piece, u / L, u % L, unit);
            scratch.rows[u] = row >= 0 ? weight_ + row * m_->columns : nullptr;
            const i64 own = m_->bias_of(row);
            scratch.bias[u] = bias_ && own >= 0 ? bias_[own] : Real(0);
        }
    }
    void pack(i64 p, int nv, i64 k, i64 count, Scratch& scratch) const {
        if (!m_->transposed) return pack_rows<P>(scratch.panel, nv, scratch.rows, k, count);
        const i64 first = p * blocks_per_panel * L;
        this->visit_inner_rows(k, count, [&](i64 j, i64 row, i64) {
            scratch.columns[j] = row >= 0 ? weight_ + row * m_->columns + first : nullptr;
        });
        pack_columns<P>(scratch.panel, nv, scratch.columns, count, m_->width - first);
    }
    static void multiply_rows(int nv, i64 rows, Real* out, i64 ld_out, i64 groups,
                              const typename P::A* a, i64 ld_a, const typename P::B* panel,
                              const Real* init, i64 ld_init) {
        const i64 tiles = ceil_div(rows, max_tile_rows<P>(nv));
        for (i64 t = 0, row = 0; t < tiles; ++t) {
            const i64 end = rows * (t + 1) / tiles;
            multiply_tile<P>(nv, int(end - row), out + row * ld_out, ld_out, groups, a + row * ld_a,
                             ld_a, panel, init ? init + row * ld_init : nullptr, ld_init);
            row = end;
        }
    }
};

}  // namespace sluice::SLUICE_ISA
