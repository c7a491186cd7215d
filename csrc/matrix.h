// Weights packed in panels, and their products with rows of operands.
#pragma once

#include <algorithm>
#include <memory>

#include "memory.h"
#include "pack.h"
#include "pool.h"
#include "program.h"
#include "tile.h"

namespace sluice::SLUICE_ISA {

inline i64 ceil_div(i64 a, i64 b) { return (a + b - 1) / b; }

// How a matrix is divided: a panel holds `blocks_per_panel` blocks of units × the gates of one piece
// (at most 4 vectors), so that a tile has all gates of its units side by side.
template <class P> class PanelLayout {
public:
    // `interleaved`: the target keeps other items between these, so a panel must stay in one block.
    PanelLayout(const Matrix& matrix, bool interleaved) : m_(&matrix), results_(matrix.results()) {
        blocks = ceil_div(m_->width, L);
        blocks_per_panel = interleaved || results_ > 2 ? 1 : 4 / results_;
        pieces_ = ceil_div(results_, 4);
        k_ = m_->transposed ? ceil_div(m_->inner, L) * m_->gates() * L : m_->inner;
        panels_ = ceil_div(blocks, blocks_per_panel);
    }

    i64 blocks, blocks_per_panel;
    i64 results() const { return results_; }
    i64 operand_length() const { return ceil_div(k_, P::group) * P::group; }

protected:
    static constexpr i64 L = lanes<typename P::Real>;
    const Matrix* m_;
    i64 results_, pieces_, k_, panels_;

    // Vectors of a panel's piece.
    int vectors(i64 p, i64 piece) const {
        return int(std::min<i64>(4, results_ - piece * 4) *
                   std::min(blocks_per_panel, blocks - p * blocks_per_panel));
    }
    // Call visit(p, piece, offset) for blocks [first, last), which begin at a panel's edge; the
    // piece's results lie `offset` numbers after those of the first block.
    template <class Visit> void visit_panels(i64 first, i64 last, i64 out_block, Visit visit) const {
        for (i64 p = first / blocks_per_panel; p < ceil_div(last, blocks_per_panel); ++p)
            for (i64 piece = 0; piece < pieces_; ++piece)
                visit(p, piece, (p * blocks_per_panel - first) * out_block + piece * 4 * L);
    }
    // The unit that lane l of vector v of a panel's piece is, and its row of the weight; −1 for
    // padding.
    i64 find_row(i64 p, i64 piece, i64 v, i64 l, i64& unit) const {
        const i64 gates = std::min<i64>(4, results_ - piece * 4);
        unit = (p * blocks_per_panel + v / gates) * L + l;
        return unit < m_->width ? m_->starts[size_t(piece * 4 + v % gates)] + unit : -1;
    }
    // Call visit(k, row, unit) for k's [from, from + count) of a transposed matrix, in whole blocks:
    // the gate's unit that k is, and its row of the weight; −1 for padding.
    template <class Visit> void visit_inner_rows(i64 from, i64 count, Visit visit) const {
        for (i64 k = 0; k < count; k += L) {
            const i64 at = (from + k) / L, unit = at / m_->gates() * L;
            const i64 row = m_->starts[size_t(at % m_->gates())] + unit;
            for (i64 l = 0; l < L; ++l)
                visit(k + l, unit + l < m_->inner ? row + l : -1, unit + l);
        }
    }
};

// One matrix, packed.
template <class P> class PackedMatrix : public PanelLayout<P> {
    using Real = typename P::Real;
    using B = typename P::B;
    using Acc = typename P::Acc;
    using Layout = PanelLayout<P>;
    using Layout::L, Layout::m_, Layout::results_, Layout::pieces_, Layout::k_, Layout::panels_;

public:
    using Layout::blocks, Layout::blocks_per_panel;

    PackedMatrix(const Matrix& matrix, bool interleaved) : Layout(matrix, interleaved) {
        stride_ = panel_size<P>(4, k_);
        const i64 panel_bytes = multiply_checked(panels_, pieces_, stride_, sizeof(B));
        memory_ = AlignedBlock(size_t(add_checked(panel_bytes, extra_bytes())));
    }

    // What a thread needs to pack panels: addresses of rows, and heads' rows expanded with zeros.
    struct Scratch {
        std::vector<const Real*> list;
        std::vector<Real> rows;
        void resize(const PackedMatrix& matrix) {
            const size_t longest = size_t(matrix.k_ + 64);
            if (list.size() < longest + 4 * L) list.resize(longest + 4 * L);
            if (matrix.m_->heads > 1 && rows.size() < longest * 4 * L) rows.resize(longest * 4 * L);
        }
    };

    i64 panels() const { return panels_ * pieces_; }
    void pack(i64 panel, const Real* const* parameters, Scratch& scratch) {
        scratch.resize(*this);
        const Real* weight = parameters[m_->weight];
        const Real* bias = m_->bias >= 0 ? parameters[m_->bias] : nullptr;
        const i64 p = panel / pieces_, piece = panel % pieces_;
        const int nv = this->vectors(p, piece);
        if (m_->transposed)
            pack_transposed(p, nv, weight, scratch.list.data(), scratch.rows.data());
        else pack_forward(p, piece, nv, weight, bias, scratch);
    }
    i64 weight_count() const { return panels_ * pieces_ * stride_; }

    // out[r][block - first][gate] = bias + operand·weights for blocks [first, last), which begin
    // at a panel's edge; `scales`: the rows' scales, for int8.
    void multiply(const typename P::A* a, i64 ld_a, i64 rows, Real* out, i64 ld_out, i64 out_block,
                  i64 first, i64 last, bool accumulate, const Real* scales) const {
        this->visit_panels(first, last, out_block, [&](i64 p, i64 piece, i64 offset) {
            multiply_panel(p, piece, this->vectors(p, piece), a, ld_a, rows, out + offset, ld_out,
                           accumulate, scales);
        });
    }

private:
    i64 stride_;
    AlignedBlock memory_;

    // Of biases, and of int8's scales and offsets.
    i64 extra_bytes() const {
        const i64 units = multiply_checked(panels_, blocks_per_panel, results_, L);
        return units * i64(2 * sizeof(Real) + sizeof(int32_t)) + 64;
    }
    B* panel(i64 p, i64 piece) const {
        return reinterpret_cast<B*>(memory_.data()) + (p * pieces_ + piece) * stride_;
    }
    Real* biases() const { return reinterpret_cast<Real*>(panel(panels_, 0)); }
    Real* scales() const { return biases() + panels_ * blocks_per_panel * results_ * L; }
    int32_t* offsets() const {
        return reinterpret_cast<int32_t*>(scales() + panels_ * blocks_per_panel * results_ * L);
    }
    // The range of k that a panel needs: all, or that of its heads.
    void inner_range(i64 p, i64& from, i64& count) const {
        from = 0, count = k_;
        if (m_->heads == 1) return;
        const i64 unit = p * blocks_per_panel * L;
        const i64 end = std::min(unit + blocks_per_panel * L, m_->width) - 1;
        const i64 own = m_->width / m_->heads, other = m_->inner / m_->heads;
        const i64 low = unit / own * other, high = (end / own + 1) * other;
        if (!m_->transposed) {
            from = low / P::group * P::group, count = high - from;
            return;
        }
        from = low / L * m_->gates() * L;
        count = ceil_div(high, L) * m_->gates() * L - from;
    }

    void multiply_panel(i64 p, i64 piece, int nv, const typename P::A* a, i64 ld_a, i64 rows,
                        Real* out, i64 ld_out, bool accumulate, const Real* row_scales) const {
        i64 from, count;
        inner_range(p, from, count);
        const i64 groups = ceil_div(count, P::group), limit = max_tile_rows<P>(nv);
        const i64 tiles = ceil_div(rows, limit);
        const i64 vector = (p * blocks_per_panel * results_ + piece * 4) * L;
        i64 row = 0;
        for (i64 t = 0; t < tiles; ++t) {
            const i64 end = rows * (t + 1) / tiles;
            const auto* operand = a + row * ld_a + from;
            Real* to = out + row * ld_out;
            const Real* bias = m_->bias >= 0 ? biases() + vector : nullptr;
            if constexpr (P::group == 4)
                multiply_int8_tile(nv, int(end - row), to, ld_out, groups, operand, ld_a,
                                   panel(p, piece), vector, accumulate, row_scales + row, bias);
            else
                multiply_tile<P>(nv, int(end - row), to, ld_out, groups, operand, ld_a,
                                 panel(p, piece), accumulate ? to : bias, accumulate ? ld_out : 0);
            row = end;
        }
    }

    void multiply_int8_tile(int nv, int rows, Real* out, i64 ld_out, i64 groups,
                            const typename P::A* a, i64 ld_a, const B* b, i64 vector,
                            bool accumulate, const Real* row_scales, const Real* bias) const {
        alignas(64) Acc sums[max_rows * 4 * L];
        multiply_tile<P>(nv, rows, sums, nv * L, groups, a, ld_a, b, nullptr, 0);
        for (int r = 0; r < rows; ++r)
            for (i64 u = 0; u < nv * L; ++u) {
                const Real sum = Real(sums[r * nv * L + u] - offsets()[vector + u]);
                const Real add = accumulate ? out[r * ld_out + u] : bias ? bias[u] : Real(0);
                out[r * ld_out + u] = sum * (scales()[vector + u] * row_scales[r]) + add;
            }
    }

    void pack_forward(i64 p, i64 piece, int nv, const Real* weight, const Real* bias,
                      Scratch& scratch) {
        i64 from, count;
        inner_range(p, from, count);
        const i64 base = (p * blocks_per_panel * results_ + piece * 4) * L;
        const Real** list = scratch.list.data();
        for (i64 u = 0, unit; u < nv * L; ++u) {
            const i64 row = this->find_row(p, piece, u / L, u % L, unit);
            const Real* source = row >= 0 ? weight + row * m_->columns : nullptr;
            if (source && m_->heads > 1)
                source = expand_head_row(scratch.rows.data() + u * m_->inner, source, unit);
            list[u] = source ? source + from : nullptr;
            const i64 own = m_->bias_of(row);
            biases()[base + u] = bias && own >= 0 ? bias[own] : Real(0);
        }
        if constexpr (P::group == 4)
            pack_rows_int8(panel(p, piece), nv, list, count, scales() + base, offsets() + base);
        else pack_rows<P>(panel(p, piece), nv, list, 0, count);
    }

    // A head's row of weights, with the zeros that a dense map would have.
    Real* expand_head_row(Real* to, const Real* row, i64 unit) const {
        const i64 head = unit / (m_->width / m_->heads);
        std::fill(to, to + m_->inner, Real(0));
        std::copy(row, row + m_->columns, to + head * m_->columns);
        return to;
    }

    void pack_transposed(i64 p, int nv, const Real* weight, const Real** list, Real* scratch) {
        if constexpr (P::group != 4) {
            i64 from, count;
            inner_range(p, from, count);
            const i64 first = p * blocks_per_panel * L;
            const i64 units = std::min(m_->width - first, i64(nv) * L);
            this->visit_inner_rows(from, count, [&](i64 k, i64 number, i64 unit) {
                const Real* row = number < 0 ? nullptr : weight + number * m_->columns;
                if (row && m_->heads > 1)
                    list[k] = copy_head_columns(scratch + k * 4 * L, row, unit, first, units);
                else list[k] = row ? row + first : nullptr;
            });
            pack_columns<P>(panel(p, 0), nv, list, count, units);
        }
    }

    // Columns [first, first + units) of a head's row, with the zeros that a dense map would have.
    Real* copy_head_columns(Real* to, const Real* row, i64 unit, i64 first, i64 units) const {
        const i64 start = unit / (m_->inner / m_->heads) * m_->columns;
        for (i64 d = 0; d < units; ++d) {
            const i64 column = first + d - start;
            to[d] = column >= 0 && column < m_->columns ? row[column] : Real(0);
        }
        return to;
    }
};

// Pack all panels of these matrices, null for one that is not packed. Each thread begins with the
// panels that it will multiply by, where threads share units.
template <class Scratch, class M, class Real>
void pack_panels(const std::vector<std::unique_ptr<M>>& matrices, const Real* const* parameters,
                 int threads) {
    std::vector<std::pair<M*, i64>> panels;
    std::vector<i64> ends;
    for (i64 id = 0; id < threads; ++id) {
        for (const auto& m : matrices)
            for (i64 k = m ? m->panels() * id / threads : 0;
                 m && k < m->panels() * (id + 1) / threads; ++k)
                panels.push_back({m.get(), k});
        ends.push_back(i64(panels.size()));
    }
    share_work(ends, [&](auto next) {
        Scratch scratch;
        for (i64 k = next(); k >= 0; k = next())
            panels[size_t(k)].first->pack(panels[size_t(k)].second, parameters, scratch);
    });
}

}  // namespace sluice::SLUICE_ISA
