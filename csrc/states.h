// The states that a step finds: the step before's, the first ones, or those of a new sequence.
#pragma once

#include "frame.h"

namespace sluice::SLUICE_ISA {

// Memory of one call, taken piece by piece and given back at its end.
template <class Real> struct Arena {
    std::vector<Block> blocks;
    template <class T> T* take(i64 count) {
        blocks.emplace_back(size_t(Tape<Real>::checked(count, sizeof(T))) + 128);
        return reinterpret_cast<T*>(blocks.back().data());
    }
    Real* reals(i64 count) { return take<Real>(count); }
};

template <class Real> void copy_padded(Real* to, const Real* from, i64 width, i64 padded) {
    if (from) std::copy(from, from + width, to);
    else std::fill(to, to + width, Real(0));
    std::fill(to + width, to + padded, Real(0));
}

template <class P> struct States {
    using Real = typename P::Real;
    static constexpr i64 L = lanes<Real>;

    struct One {
        i64 width = 0, padded = 0;
        const Real *initial = nullptr, *restart = nullptr;  // rows of `padded`
        Real* swing[2] = {nullptr, nullptr};  // the last two steps', where time is not kept
        Real* kept = nullptr;                 // every step's, rows of `row`
        i64 row = 0;
    };
    const Call<Real>& call;
    std::vector<One> all;

    States(const Program& program, const Call<Real>& c, const Tape<Real>* tape, bool direct,
           Arena<Real>& arena)
        : call(c) {
        for (size_t s = 0; s < program.state_widths.size(); ++s) {
            One one;
            one.width = program.state_widths[s];
            one.padded = ceil_div(one.width, L) * L;
            one.initial = rows(c.initial[s], c.batch, one, arena);
            one.restart = rows(c.restart.empty() ? nullptr : c.restart[s], 1, one, arena);
            one.row = one.padded;
            const i64 place = program.find(Role::next, i64(s));
            if (s == 0 && direct) one.kept = c.y;
            else if (tape) one.kept = tape->base[size_t(place)], one.row = one.padded;
            else
                for (Real*& swing : one.swing) swing = arena.reals(c.batch * one.padded);
            all.push_back(one);
        }
    }

    i64 before(i64 t) const { return call.reverse ? t + 1 : t - 1; }

    // Where step t leaves state s.
    Bound<Real> next(size_t s, i64 t) const {
        const One& one = all[s];
        if (!one.kept) return {one.swing[t & 1], 0, one.padded, L};
        return {one.kept, call.batch * one.row, one.row, L};
    }
    const Real* next_row(size_t s, i64 t, i64 b) const { return next(s, t).at(t, b); }

    const Real* previous_row(size_t s, i64 t, i64 b) const {
        if (call.restarts(t, b)) return all[s].restart;
        if (t == call.first_step(b)) return all[s].initial + b * all[s].padded;
        return next_row(s, before(t), b);
    }

    // Bind the frame's previous states for its rows of step t.
    void bind(Frame<P>& frame, i64 t, i64 r0, i64 r1) const {
        bool first = true, special = false;
        for (i64 b = r0; b < r1; ++b) {
            const bool begins = t == call.first_step(b), anew = call.restarts(t, b);
            first &= begins && !anew;
            special |= begins || anew;
            if (!call.lengths && !call.resets) break;
        }
        for (size_t s = 0; s < all.size(); ++s) {
            const i64 k = frame.program.find(Role::previous, i64(s));
            if (k < 0) continue;
            Bound<Real>& to = frame.bound[size_t(k)];
            if (first) {
                to = {const_cast<Real*>(all[s].initial), 0, all[s].padded, L};
            } else if (special) {
                for (i64 b = r0; b < r1; ++b)
                    std::copy_n(previous_row(s, t, b), all[s].padded,
                                frame.patched[s] + (b - frame.row0) * all[s].padded);
                to = {frame.patched[s] - frame.row0 * all[s].padded, 0, all[s].padded, L};
            } else {
                const Bound<Real> from = next(s, before(t));
                to = {from.base + before(t) * from.time, 0, from.row, L};
            }
        }
    }

private:
    static const Real* rows(const Real* from, i64 count, const One& one, Arena<Real>& arena) {
        Real* to = arena.reals(count * one.padded);
        for (i64 b = 0; b < count; ++b)
            copy_padded(to + b * one.padded, from ? from + b * one.width : nullptr, one.width,
                        one.padded);
        return to;
    }
};

// What every frame of a pass needs beside its bindings: tiles, converted operands, patches.
template <class P>
void furnish(Frame<P>& frame, const std::vector<const std::vector<Phase>*>& lists, i64 rows,
             Arena<typename P::Real>& arena) {
    using Real = typename P::Real;
    constexpr i64 L = lanes<Real>;
    for (const auto* list : lists)
        for (const Phase& phase : *list)
            for (const Product& p : phase.products) {
                const size_t k = size_t(p.matrix);
                const auto& m = *frame.kernel.matrices[k];
                if (frame.place(p.target).role == Role::tile)
                    frame.tiles[k] = arena.reals((tile_rows * 4 + 64) * m.results() * L * 2);
                if (P::group > 1 && !frame.program.matrices[k].transposed) {
                    const i64 length = m.operand_length();
                    frame.operands[k] = {arena.template take<typename P::A>(rows * length + 64), 0, length};
                    frame.scales[k] = arena.reals(rows);
                }
            }
    for (size_t s = 0; s < frame.patched.size(); ++s)
        frame.patched[s] = arena.reals(frame.rows() * (frame.program.state_widths[s] + L));
}

}  // namespace sluice::SLUICE_ISA
