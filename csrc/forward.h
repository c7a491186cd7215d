// A forward pass of a layer in one direction over time.
#pragma once

#include "pool.h"
#include "states.h"
#include "storage.h"

namespace sluice::SLUICE_ISA {

template <class P> class Forward {
    using Real = typename P::Real;
    static constexpr i64 L = lanes<Real>;

public:
    // `tape`: where the pass leaves what backpropagation needs; null for none.
    Forward(const PackedWeights<P>& weights, const Call<Real>& call, Tape<Real>* tape)
        : weights_(weights), program_(weights.program), call_(call), tape_(tape),
          states_(program_, call, tape, arena_) {
        const i64 b = call.batch;
        shares_units_ = divides_units<Real>(program_, call);
        threads_ =
            shares_units_ ? call.threads : int(std::max<i64>(1, std::min<i64>(b, call.threads)));
        shared_.assign(program_.buffers.size(), nullptr);
        for (size_t k = 0; k < shared_.size(); ++k) {
            const Buffer& p = program_.buffers[k];
            if (p.scope == Scope::step && p.role == Role::scratch)
                shared_[k] = arena_.allocate_reals(b, p.row);
            else if (shares_units_ && p.is_hoisted())
                shared_[k] = arena_.allocate_reals(count_hoisted_steps(call.steps, b), b, p.row);
        }
        for (int id = 0; id < threads_; ++id)
            contexts_.push_back(std::make_unique<ThreadContext>(*this, id));
    }

    void run() {
        for (i64 b = 0; b < call_.batch; ++b)
            if (call_.length(b) == 0)
                write_final_states(b, [&](size_t s) { return initial_row(s, b); }, nullptr);
        run_team(threads_, [&](int id, Team& team) { run_thread(*contexts_[size_t(id)], team); });
    }

private:
    // What one thread needs. All memory is allocated before threads start: they cannot fail.
    struct ThreadContext {
        PhaseRunner<P> runner;
        Arena<Real> arena;
        i64 chunk;                        // steps whose hoisted phases run at once
        std::vector<Real*> chunk_memory;  // by buffer: its rows of a chunk, null for others
        Real* padded_input = nullptr;     // of a step, where bodies read the input
        Real* gathered_input;             // of a chunk, where rows are not the caller's
        std::vector<Real*> gathered_masks;  // the same of masks that hoisted phases read, by buffer

        ThreadContext(Forward& pass, int id)
            : runner(pass.weights_, pass.call_, id, pass.threads_, pass.shares_units_) {
            const Program& program = pass.program_;
            const i64 rows = std::max<i64>(1, runner.rows());
            chunk = count_hoisted_steps(pass.call_.steps, rows);
            allocate_scratch(runner, program.hoisted, 0, chunk * rows, arena);
            allocate_scratch(runner, program.forward, runner.row0, rows, arena);
            allocate_states(runner, arena);
            gathered_masks.assign(program.buffers.size(), nullptr);
            for (size_t k = 0; k < gathered_masks.size(); ++k)
                if (program.is_hoisted_mask[k])
                    gathered_masks[k] =
                        arena.allocate_reals(chunk * rows, program.buffers[k].row);
            const i64 width = round_up(program.input_width, L);
            gathered_input = arena.allocate_reals(chunk * rows, width);
            if (program.forward_reads_input) padded_input = arena.allocate_reals(rows, width);
            pass.bind_all(*this, chunk * rows);
        }
    };

    const PackedWeights<P>& weights_;
    const Program& program_;
    const Call<Real>& call_;
    Tape<Real>* tape_;
    bool shares_units_ = false;
    Arena<Real> arena_;
    StateStore<P> states_;
    int threads_ = 1;
    // By buffer: scratch of a step; where threads share units, also of a chunk.
    std::vector<Real*> shared_;
    std::vector<std::unique_ptr<ThreadContext>> contexts_;

    const Real* initial_row(size_t s, i64 b) const {
        return states_.states[s].initial + b * states_.states[s].padded;
    }

    void run_thread(ThreadContext& context, Team& team) {
        for (i64 done = 0; done < call_.steps; done += context.chunk) {
            const i64 count = std::min(context.chunk, call_.steps - done);
            const i64 t0 = call_.reverse ? call_.steps - done - count : done;
            if (context.runner.rows() > 0) run_hoisted(context, t0, count, team);
            for (i64 k = 0; k < count; ++k)
                run_step(context, call_.reverse ? t0 + count - 1 - k : t0 + k, team);
        }
    }

    // Bind what stays where it is, and allocate the thread's memory for buffers of a chunk.
    void bind_all(ThreadContext& context, i64 chunk_rows) {
        PhaseRunner<P>& runner = context.runner;
        context.chunk_memory.assign(program_.buffers.size(), nullptr);
        for (size_t k = 0; k < program_.buffers.size(); ++k) {
            const Buffer& p = program_.buffers[k];
            const i64 n = i64(k);
            if (p.role == Role::parameters) runner.bind(n, weights_.constant[k], 0);
            else if (p.role == Role::mask) bind_mask(runner, n);
            else if (p.role == Role::tape && tape_) runner.bind(n, tape_->base[k], call_.batch);
            else if (p.role == Role::statistics) bind_statistics(context, n);
            else if (p.role == Role::mapped_rows) runner.bind_own_rows(n, context.arena);
            else if (p.is_hoisted())
                context.chunk_memory[k] =
                    shared_[k] ? shared_[k] : context.arena.allocate_reals(chunk_rows, p.row);
            else if (shared_[k]) runner.bind(n, shared_[k], 0);
        }
    }

    // Threads that share units all compute all statistics: one of them for the tape.
    void bind_statistics(ThreadContext& context, i64 k) {
        PhaseRunner<P>& runner = context.runner;
        if (tape_ && !(shares_units_ && runner.id > 0))
            runner.bind(k, tape_->base[size_t(k)], call_.batch);
        else
            runner.bind(k, context.arena.allocate_reals(call_.batch, runner.buffer(k).row), 0);
    }

    // All that depends on the input alone, for `count` steps from t0 on: their rows in one flat
    // list.
    void run_hoisted(ThreadContext& context, i64 t0, i64 count, Team& team) {
        PhaseRunner<P>& runner = context.runner;
        const i64 n = runner.rows();
        bind_chunk_input(context, t0, count);
        bind_chunk_masks(context, t0, count);
        const auto& memory = context.chunk_memory;
        for (size_t k = 0; k < memory.size(); ++k)
            if (memory[k]) runner.bind(i64(k), memory[k], 0);
        for (const Phase& phase : program_.hoisted) {
            if (shares_units_) run_hoisted_phase(runner, phase, count * n, team);
            else runner.run(phase, 0, 0, count * n);
        }
        if (shares_units_ && program_.hoisted_needs_rows) team.barrier();
        for (size_t k = 0; k < memory.size(); ++k) {
            if (context.gathered_masks[k]) bind_mask(runner, i64(k));
            if (!memory[k]) continue;
            const i64 row = program_.buffers[k].row;
            if (tape_ && program_.buffers[k].role == Role::hoisted_statistics &&
                !(shares_units_ && runner.id > 0))
                for (i64 t = 0; t < count; ++t)
                    std::copy_n(memory[k] + t * n * row, n * row,
                                tape_->base[k] + ((t0 + t) * call_.batch + runner.row0) * row);
            runner.bind(i64(k), memory[k], n, t0, runner.row0);
        }
    }
    // Each thread its units, and its share of the rows' statistics.
    void run_hoisted_phase(PhaseRunner<P>& runner, const Phase& phase, i64 rows, Team& team) {
        if (program_.hoisted_needs_rows) team.barrier();
        if (!phase.statistics.empty()) {
            runner.reduce_rows(phase, 0, rows * runner.id / threads_,
                               rows * (runner.id + 1) / threads_);
            team.barrier();
        }
        runner.run_units(phase, 0, 0, rows);
    }
    // The caller's rows as they are, or copies of this thread's; bodies read whole padded vectors.
    void bind_chunk_input(ThreadContext& context, i64 t0, i64 count) {
        const i64 input = program_.find(Role::input), width = program_.input_width;
        if (input < 0) return;
        PhaseRunner<P>& runner = context.runner;
        const i64 n = runner.rows();
        const bool pads = program_.hoisted_reads_input && width % L != 0;
        if (n == call_.batch && !pads) {
            const Real* from = call_.x + t0 * call_.batch * width;
            runner.view(input) = {{const_cast<Real*>(from), 0, width}, L};
            return;
        }
        const i64 padded = pads ? round_up(width, L) : width;
        for (i64 t = 0; t < count; ++t)
            for (i64 b = 0; b < n; ++b)
                copy_padded(context.gathered_input + (t * n + b) * padded,
                            call_.x + ((t0 + t) * call_.batch + runner.row0 + b) * width, width,
                            padded);
        runner.view(input) = {{context.gathered_input, 0, padded}, L};
    }

    void bind_mask(PhaseRunner<P>& runner, i64 k) {
        runner.view(k) = {call_.masks[size_t(runner.buffer(k).index)], L};
    }
    // Masks' rows of a chunk in one flat list: where they lie, if they lie so, else copies.
    void bind_chunk_masks(ThreadContext& context, i64 t0, i64 count) {
        PhaseRunner<P>& runner = context.runner;
        const i64 n = runner.rows();
        for (size_t k = 0; k < context.gathered_masks.size(); ++k) {
            Real* copies = context.gathered_masks[k];
            if (!copies) continue;
            const Buffer& p = program_.buffers[k];
            const RowView<Real>& from = call_.masks[size_t(p.index)];
            const i64 row = n == 1 ? from.time : from.row;
            if (n == call_.batch && from.time == n * row) {
                runner.view(i64(k)) = {{from.at(t0, 0), 0, row}, L};
                continue;
            }
            for (i64 t = 0; t < count; ++t)
                for (i64 b = 0; b < n; ++b)
                    std::copy_n(from.at(t0 + t, runner.row0 + b), p.row, copies + (t * n + b) * p.row);
            runner.bind(i64(k), copies, 0);
        }
    }

    void run_step(ThreadContext& context, i64 t, Team& team) {
        PhaseRunner<P>& runner = context.runner;
        const i64 end = std::min(runner.row1, call_.active_sequences(t));
        if (end > runner.row0) {
            states_.bind(runner, t, runner.row0, end);
            for (size_t s = 0; s < states_.states.size(); ++s)
                runner.view(program_.find(Role::next, i64(s))) = states_.next(s, t);
            if (context.padded_input) bind_step_input(context, t, end);
        }
        for (const Phase& phase : program_.forward) {
            runner.run(phase, t, runner.row0, end);
            if (shares_units_) team.barrier();
        }
        write_outputs(runner, t, end);
    }
    void bind_step_input(ThreadContext& context, i64 t, i64 end) {
        PhaseRunner<P>& runner = context.runner;
        const i64 width = program_.input_width, padded = round_up(width, L);
        for (i64 b = runner.row0; b < end; ++b)
            copy_padded(context.padded_input + (b - runner.row0) * padded,
                        call_.x + (t * call_.batch + b) * width, width, padded);
        runner.bind(program_.find(Role::input), context.padded_input, 0, 0, runner.row0);
    }

    // The output of step t, zeros for ended sequences, and the states of those that end here.
    void write_outputs(PhaseRunner<P>& runner, i64 t, i64 end) {
        const i64 width = program_.output_width(), in_output = program_.state_in_output();
        Real* y = call_.y + t * call_.batch * width;
        for (i64 s : program_.outputs) {
            i64 first, last;
            runner.unit_range(program_.state_widths[size_t(s)], first, last);
            if (s != in_output)
                for (i64 b = runner.row0; b < end; ++b) {
                    const Real* from = states_.next_row(size_t(s), t, b);
                    std::copy(from + first, from + last, y + b * width + first);
                }
            for (i64 b = std::max(end, runner.row0); b < runner.row1; ++b)
                std::fill(y + b * width + first, y + b * width + last, Real(0));
            y += program_.state_widths[size_t(s)];
        }
        for (i64 b = runner.row0; b < end; ++b) {
            if (t == call_.last_step(b))
                write_final_states(b, [&](size_t s) { return states_.next_row(s, t, b); }, &runner);
            else if (!call_.lengths) return;
        }
    }
    // `runner`: whose units are written; null for all.
    template <class Row> void write_final_states(i64 b, Row row, const PhaseRunner<P>* runner) {
        for (size_t s = 0; s < states_.states.size(); ++s) {
            const i64 width = states_.states[s].width;
            if (!call_.final_states[s]) continue;
            i64 first = 0, last = width;
            if (runner) runner->unit_range(width, first, last);
            std::copy(row(s) + first, row(s) + last, call_.final_states[s] + b * width + first);
        }
    }
};

}  // namespace sluice::SLUICE_ISA
