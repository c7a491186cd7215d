// The states that a step starts from: the previous step's, the initial ones, or those of a reset.
#pragma once

#include "phase_runner.h"
#include "tape.h"

namespace sluice::SLUICE_ISA {

// A row of `width` numbers (zeros where `from` is null), then zeros up to `padded`.
template <class Real> void copy_padded(Real* to, const Real* from, i64 width, i64 padded) {
    if (from) std::copy(from, from + width, to);
    else std::fill(to, to + width, Real(0));
    std::fill(to + width, to + padded, Real(0));
}

// A thread's units of a row, and the padding where they end with it.
template <class P>
void copy_own_units(const PhaseRunner<P>& runner, typename P::Real* to,
                    const typename P::Real* from, i64 width) {
    constexpr i64 L = lanes<typename P::Real>;
    i64 first, last;
    runner.block_range(width, first, last);
    first *= L, last *= L;
    if (last > first)
        copy_padded(to + first, from ? from + first : nullptr, std::min(last, width) - first,
                    last - first);
}

template <class P> struct StateStore {
    using Real = typename P::Real;
    static constexpr i64 L = lanes<Real>;

    // One state's rows, each of `padded` numbers.
    struct State {
        i64 width = 0, padded = 0;
        const Real *initial = nullptr, *restart = nullptr;
        Real* double_buffer[2] = {nullptr, nullptr};  // the last two steps', where no tape is kept
        Real* history = nullptr;                      // every step's: the tape's, or the output
    };
    const Call<Real>& call;
    std::vector<State> states;

    StateStore(const Program& program, const Call<Real>& c, const Tape<Real>* tape,
               Arena<Real>& arena)
        : call(c) {
        for (size_t s = 0; s < program.state_widths.size(); ++s) {
            State state;
            state.width = program.state_widths[s];
            state.padded = ceil_div(state.width, L) * L;
            state.initial = copy_rows(c.initial_states[s], c.batch, state, arena);
            state.restart = copy_rows(c.restart_states.empty() ? nullptr : c.restart_states[s], 1,
                                      state, arena);
            const i64 k = program.find(Role::next, i64(s));
            if (i64(s) == program.state_in_output()) state.history = c.y;
            else if (tape) state.history = tape->base[size_t(k)];
            else
                for (Real*& rows : state.double_buffer)
                    rows = arena.allocate_reals(c.batch, state.padded);
            states.push_back(state);
        }
    }

    i64 previous_step(i64 t) const { return call.reverse ? t + 1 : t - 1; }

    // Where step t leaves state s.
    BufferView<Real> next(size_t s, i64 t) const {
        const State& state = states[s];
        if (!state.history) return {{state.double_buffer[t & 1], 0, state.padded}, L};
        return {{state.history, call.batch * state.padded, state.padded}, L};
    }
    const Real* next_row(size_t s, i64 t, i64 b) const { return next(s, t).at(t, b); }

    const Real* previous_row(size_t s, i64 t, i64 b) const {
        if (call.is_reset(t, b)) return states[s].restart;
        if (t == call.first_step(b)) return states[s].initial + b * states[s].padded;
        return next_row(s, previous_step(t), b);
    }

    // Bind the runner's previous states for its rows of step t.
    void bind(PhaseRunner<P>& runner, i64 t, i64 r0, i64 r1) const {
        bool all_begin = true, some_begin = false;
        for (i64 b = r0; b < r1; ++b) {
            const bool begins = t == call.first_step(b), reset = call.is_reset(t, b);
            all_begin &= begins && !reset;
            some_begin |= begins || reset;
            if (!call.lengths && !call.resets) break;
        }
        for (size_t s = 0; s < states.size(); ++s) {
            const i64 k = runner.program.find(Role::previous, i64(s));
            if (k < 0) continue;
            const i64 row = states[s].padded;
            BufferView<Real>& to = runner.view(k);
            if (all_begin) {
                to = {{const_cast<Real*>(states[s].initial), 0, row}, L};
            } else if (some_begin) {
                for (i64 b = r0; b < r1; ++b)
                    std::copy_n(previous_row(s, t, b), row,
                                runner.gathered_states[s] + (b - runner.row0) * row);
                to = {{runner.gathered_states[s], 0, row, runner.row0 * row}, L};
            } else {
                const BufferView<Real> from = next(s, previous_step(t));
                to = {{from.at(previous_step(t), 0), 0, row}, L};
            }
        }
    }

private:
    static const Real* copy_rows(const Real* from, i64 count, const State& state,
                                 Arena<Real>& arena) {
        Real* to = arena.allocate_reals(count, state.padded);
        for (i64 b = 0; b < count; ++b)
            copy_padded(to + b * state.padded, from ? from + b * state.width : nullptr, state.width,
                        state.padded);
        return to;
    }
};

// Tiles and converted operands of `phases`, which run on `rows` rows from row `first_row` on.
template <class P>
void allocate_scratch(PhaseRunner<P>& runner, const std::vector<Phase>& phases, i64 first_row,
                      i64 rows, Arena<typename P::Real>& arena) {
    using Real = typename P::Real;
    constexpr i64 L = lanes<Real>;
    for (const Phase& phase : phases)
        for (const Product& p : phase.products) {
            const size_t k = size_t(p.matrix);
            const auto& m = runner.weights.matrix(p.matrix);
            if (runner.buffer(p.target).role == Role::tile)
                runner.tiles[k] = arena.allocate_reals(
                    (runner.max_rows_of_tile(phase, rows) * 4 + 64) * 2, m.results() * L);
            if (P::group > 1 && !runner.program.matrices[k].transposed) {
                // Rows of int8's inputs have room for bfloat16.
                const i64 room = runner.weights.input_matrix(p.matrix) ? 2 : 1;
                const i64 length = m.operand_length() * room;
                auto* converted = arena.template allocate<typename P::A>(rows, length);
                runner.operands[k] = {{converted, 0, length, first_row * length},
                                      {arena.allocate_reals(rows), 0, 1, first_row}};
            }
        }
}
template <class P> void allocate_states(PhaseRunner<P>& runner, Arena<typename P::Real>& arena) {
    for (size_t s = 0; s < runner.gathered_states.size(); ++s)
        runner.gathered_states[s] = arena.allocate_reals(
            runner.rows(), runner.program.state_widths[s] + lanes<typename P::Real>);
}

}  // namespace sluice::SLUICE_ISA
