// Backpropagation through time for a layer in one direction.
#pragma once

#include "outer.h"
#include "pool.h"
#include "states.h"
#include "storage.h"

namespace sluice::SLUICE_ISA {

template <class P> class Backward {
    using Real = typename P::Real;
    using A = typename P::A;
    static constexpr i64 L = lanes<Real>;
    static constexpr i64 chunk_rows = 1024;

public:
    // `recorded` is where a program that records gradients leaves them; null for any other.
    Backward(const PackedWeights<P>& weights, const Call<Real>& call, const Tape<Real>& tape,
             Tape<Real>* recorded)
        : weights_(weights), program_(weights.program), call_(call), tape_(tape),
          recorded_(recorded), states_(program_, call, &tape, arena_) {
        const i64 b = call.batch;
        shares_units_ = divides_units<Real>(program_, call);
        threads_ = shares_units_ ? call.threads
                                 : int(std::max<i64>(1, std::min<i64>(b / 2, call.threads)));
        chunk_ = std::max<i64>(1, std::min(call.steps, ceil_div(chunk_rows, std::max<i64>(1, b))));
        // So that, of a few sequences, sums over units do not depend on how many threads there are.
        sum_blocks_ = shares_units_ || b < 8 ? program_.backward_blocks : 1;
        allocate_buffers();
        allocate_gradients();
        for (int id = 0; id < threads_; ++id)
            contexts_.push_back(std::make_unique<ThreadContext>(*this, id));
    }

    void run() {
        clear_gradients();
        for (i64 b = 0; b < call_.batch; ++b)
            if (call_.length(b) == 0) copy_empty_sequence(b);
        run_team(threads_, [&](int id, Team& team) { run_thread(*contexts_[size_t(id)], team); });
        for (const RowGradient& g : program_.row_gradients) reduce_row_gradient(g);
        if (call_.restart_state_gradients.empty()) return;
        for (size_t s = 0; s < carried(); ++s)
            for (int id = 0; id < threads_; ++id)
                for (i64 u = 0; u < states_.states[s].width; ++u)
                    call_.restart_state_gradients[s][u] +=
                        restart_sums_[s][id * states_.states[s].padded + u];
    }

private:
    // What one thread needs. All memory is allocated before threads start: they cannot fail.
    struct ThreadContext {
        PhaseRunner<P> runner;
        Arena<Real> arena;
        void* outer_scratch;
        const A** deltas;       // rows of a chunk, for weights' gradients
        const Real** operands;  // rows of a chunk, those of `deltas`

        ThreadContext(Backward& pass, int id)
            : runner(pass.weights_, pass.call_, id, pass.threads_, pass.shares_units_) {
            const i64 rows = multiply_checked(pass.chunk_, pass.call_.batch);
            allocate_scratch(runner, pass.program_.backward, 0, pass.call_.batch, arena);
            allocate_states(runner, arena);
            i64 widest = 1;
            for (const WeightGradient& w : pass.program_.weight_gradients)
                widest = std::max(widest, w.columns);
            outer_scratch = arena.template allocate<char>(outer_scratch_bytes<P>(widest));
            deltas = arena.template allocate<const A*>(rows);
            operands = arena.template allocate<const Real*>(rows);
            runner.sum_blocks = pass.sum_blocks_;
            pass.bind_all(*this);
        }
    };

    const PackedWeights<P>& weights_;
    const Program& program_;
    const Call<Real>& call_;
    const Tape<Real>& tape_;
    Tape<Real>* recorded_;
    bool shares_units_ = false;
    Arena<Real> arena_;
    StateStore<P> states_;
    int threads_ = 1;
    i64 sum_blocks_ = 1;                // of a row's sums over units
    i64 chunk_ = 1;                     // steps whose weights' gradients are computed at once
    std::vector<Real*> shared_, sums_;  // by buffer: scratch; sums over rows, for each thread
    // Deltas in the type of products, by buffer; each thread's own where threads share units.
    std::vector<std::vector<A*>> rounded_;
    // By state: the gradients of a step's states and of the states before it, in turns; and the
    // sums of those that leave at resets, for each thread.
    std::vector<Real*> state_gradients_[2], restart_sums_;
    std::vector<i64> unrounded_;  // deltas that no product of a step converts
    std::vector<i64> rebound_;    // buffers that lie elsewhere at every step
    std::vector<std::unique_ptr<ThreadContext>> contexts_;

    Real* allocate_zeros(i64 count, i64 row) {
        Real* found = arena_.allocate_reals(count, row);
        std::fill_n(found, count * row, Real(0));
        return found;
    }
    static bool is_of_chunk(const Buffer& p) {
        return p.role == Role::deltas || p.role == Role::weight_operand ||
               p.role == Role::input_gradient;
    }
    void allocate_buffers() {
        const i64 b = call_.batch;
        shared_.assign(program_.buffers.size(), nullptr);
        sums_ = shared_;
        rounded_.assign(shares_units_ ? size_t(threads_) : 1,
                        std::vector<A*>(program_.buffers.size()));
        for (size_t k = 0; k < shared_.size(); ++k) {
            const Buffer& p = program_.buffers[k];
            const i64 copies = p.role == Role::row_sums ? sum_blocks_ * threads_ : 1;
            switch (p.role) {
            case Role::state_gradient:
            case Role::previous_state_gradient: rebound_.push_back(i64(k)); break;
            case Role::row_sums:
            case Role::output_gradient:
            case Role::input: rebound_.push_back(i64(k)); [[fallthrough]];
            case Role::scratch:
                if (p.scope != Scope::chunk) shared_[k] = arena_.allocate_reals(copies, b, p.row);
                break;
            case Role::row_gradients: sums_[k] = allocate_zeros(threads_, p.row); break;
            default:
                if (is_of_chunk(p)) shared_[k] = arena_.allocate_reals(chunk_, b, p.row);
            }
            if (P::group > 1 && p.role == Role::deltas)
                for (auto& own : rounded_) own[k] = arena_.template allocate<A>(chunk_, b, p.row);
        }
    }
    void allocate_gradients() {
        for (size_t k = 0; k < shared_.size() && P::group > 1; ++k) {
            bool converted = program_.buffers[k].role != Role::deltas;
            for (const Phase& phase : program_.backward)
                for (const Product& p : phase.products) converted |= p.operand == i64(k);
            if (!converted) unrounded_.push_back(i64(k));
        }
        for (const auto& state : states_.states) {
            for (auto& gradients : state_gradients_)
                gradients.push_back(arena_.allocate_reals(call_.batch, state.padded));
            restart_sums_.push_back(allocate_zeros(threads_, state.padded));
        }
    }

    // The first chunk of steps assigns the weights' gradients that it computes wholly.
    bool assigns_gradients() const { return !call_.lengths && call_.steps * call_.batch > 0; }
    void clear_gradients() {
        for (size_t k = 0; k < call_.parameter_gradients.size(); ++k)
            if (call_.parameter_gradients[k] &&
                !(assigns_gradients() && program_.has_whole_gradient[k]))
                std::fill_n(call_.parameter_gradients[k], program_.parameter_sizes[k], Real(0));
    }

    size_t carried() const { return size_t(program_.carried); }
    A* rounded_deltas(const PhaseRunner<P>& runner, i64 k) const {
        return rounded_[shares_units_ ? size_t(runner.id) : 0][size_t(k)];
    }
    // A sequence without steps: its final states are its initial ones, and so are their gradients.
    void copy_empty_sequence(i64 b) {
        for (size_t s = 0; s < carried(); ++s) {
            const i64 width = states_.states[s].width;
            const Real* from = call_.final_state_gradients[s];
            if (!call_.initial_state_gradients[s]) continue;
            copy_padded(call_.initial_state_gradients[s] + b * width,
                        from ? from + b * width : nullptr, width, width);
        }
    }

    void run_thread(ThreadContext& context, Team& team) {
        PhaseRunner<P>& runner = context.runner;
        int current = 0;
        for (i64 done = 0; done < call_.steps; done += chunk_) {
            const i64 count = std::min(chunk_, call_.steps - done);
            const i64 t0 = call_.reverse ? done : call_.steps - done - count;
            bind_chunk(runner, t0);
            for (i64 k = 0; k < count; ++k, current ^= 1)
                run_step(runner, call_.reverse ? t0 + k : t0 + count - 1 - k, current, team);
            if (threads_ > 1) team.barrier();
            accumulate_chunk(context, t0, count, done == 0);
            if (threads_ > 1) team.barrier();
        }
    }
    void bind_all(ThreadContext& context) {
        PhaseRunner<P>& runner = context.runner;
        for (size_t k = 0; k < shared_.size(); ++k) {
            const Buffer& p = program_.buffers[k];
            const i64 n = i64(k);
            if (p.role == Role::parameters) runner.bind(n, weights_.constant[k], 0);
            else if (p.role == Role::row_gradients)
                runner.view(n) = {{sums_[k] + runner.id * p.row}, p.block};
            else if (p.role == Role::mask) runner.view(n) = {call_.masks[size_t(p.index)], L};
            else if (tape_.base[k]) runner.bind(n, tape_.base[k], call_.batch);
            else if (p.role == Role::recorded) runner.bind(n, recorded_->base[k], call_.batch);
            else if (p.role == Role::next) runner.view(n) = states_.next(size_t(p.index), 0);
            else if (p.role == Role::row_means || p.role == Role::mapped_rows)
                runner.bind_own_rows(n, context.arena);
            else if (p.role == Role::row_sums) runner.bind_sums(n, shared_[k]);
            else if (shared_[k]) runner.bind(n, shared_[k], 0);
        }
    }
    void bind_chunk(PhaseRunner<P>& runner, i64 t0) {
        for (size_t k = 0; k < shared_.size(); ++k)
            if (is_of_chunk(program_.buffers[k])) runner.bind(i64(k), shared_[k], call_.batch, t0);
        for (const Phase& phase : program_.backward)
            for (const Product& p : phase.products) bind_operand(runner, p, t0);
        for (const Product& p : program_.deferred) bind_operand(runner, p, t0);
    }
    void bind_operand(PhaseRunner<P>& runner, const Product& p, i64 t0) {
        if constexpr (P::group > 1) {
            const i64 row = runner.buffer(p.operand).row, time = call_.batch * row;
            runner.operands[size_t(p.matrix)].rows = {rounded_deltas(runner, p.operand), time, row,
                                                      t0 * time};
        }
    }

    void run_step(PhaseRunner<P>& runner, i64 t, int current, Team& team) {
        const i64 end = std::min(runner.row1, call_.active_sequences(t));
        if (end > runner.row0) prepare_step(runner, t, end, current);
        for (const Phase& phase : program_.backward) {
            runner.run(phase, t, runner.row0, end);
            if (shares_units_) team.barrier();
        }
        for (i64 b = runner.row0; b < end; ++b) store_initial_gradient(runner, t, b, current);
        if constexpr (P::group > 1) round_deltas(runner, t, end);
    }
    // Convert the deltas that no product of the step has converted.
    void round_deltas(PhaseRunner<P>& runner, i64 t, i64 end) {
        for (i64 k : unrounded_) {
            const BufferView<Real>& from = runner.view(k);
            A* to = rounded_deltas(runner, k) + (from.at(t, 0) - shared_[size_t(k)]);
            for (i64 b = runner.row0; b < end; ++b)
                convert_to_bf16(to + b * from.row, from.at(t, b), from.row);
        }
    }

    void prepare_step(PhaseRunner<P>& runner, i64 t, i64 end, int current) {
        states_.bind(runner, t, runner.row0, end);
        for (i64 k : rebound_) {
            const Buffer& p = runner.buffer(k);
            const size_t s = size_t(p.index);
            if (p.role == Role::state_gradient) runner.bind(k, state_gradients_[current][s], 0);
            if (p.role == Role::previous_state_gradient)
                runner.bind(k, state_gradients_[current ^ 1][s], 0);
            if (p.role == Role::row_sums)
                std::fill_n(runner.view(k).at(0, runner.row0),
                            (end - runner.row0) * runner.view(k).row, Real(0));
            if (p.role == Role::output_gradient)
                bind_rows(runner, k, call_.output_gradient, t, end, program_.output_width(),
                          program_.output_start(s));
            if (p.role == Role::input) bind_rows(runner, k, call_.x, t, end, p.width, 0);
        }
        for (i64 b = runner.row0; b < end; ++b)
            if (t == call_.last_step(b)) load_final_gradient(runner, b, current);
    }
    // Rows of the caller's, from number `start` on: as they are, or a step's, copied and padded.
    void bind_rows(PhaseRunner<P>& runner, i64 k, const Real* from, i64 t, i64 end, i64 distance,
                   i64 start) {
        const Buffer& p = runner.buffer(k);
        const Real* rows = from ? from + t * call_.batch * distance + start : nullptr;
        if (rows && p.width % L == 0) {
            runner.view(k) = {{const_cast<Real*>(rows), 0, distance}, L};
            return;
        }
        runner.bind(k, shared_[size_t(k)], 0);
        for (i64 b = runner.row0; b < end; ++b)
            copy_own_units(runner, runner.view(k).at(0, b), rows ? rows + b * distance : nullptr,
                           p.width);
    }
    // Where a sequence ends, the gradient of its final states enters.
    void load_final_gradient(PhaseRunner<P>& runner, i64 b, int current) {
        for (size_t s = 0; s < carried(); ++s) {
            const auto& state = states_.states[s];
            const Real* from = call_.final_state_gradients[s];
            copy_own_units(runner, state_gradients_[current][s] + b * state.padded,
                           from ? from + b * state.width : nullptr, state.width);
        }
    }
    // Where a sequence begins, its gradient leaves: to the initial states, or to the restart's.
    void store_initial_gradient(PhaseRunner<P>& runner, i64 t, i64 b, int current) {
        const bool begins = t == call_.first_step(b), reset = call_.is_reset(t, b);
        if (!begins && !reset) return;
        for (size_t s = 0; s < carried(); ++s) {
            const auto& state = states_.states[s];
            i64 first, last;
            runner.unit_range(state.width, first, last);
            Real* gradient = state_gradients_[current ^ 1][s] + b * state.padded;
            if (reset)
                for (i64 u = first; u < last; ++u) {
                    restart_sums_[s][runner.id * state.padded + u] += gradient[u];
                    gradient[u] = 0;
                }
            if (begins && call_.initial_state_gradients[s])
                std::copy(gradient + first, gradient + last,
                          call_.initial_state_gradients[s] + b * state.width + first);
        }
    }

    // What is computed for a chunk of steps at once: the input's gradient, and the weights'.
    void accumulate_chunk(ThreadContext& context, i64 t0, i64 count, bool is_first) {
        auto& runner = context.runner;
        if (call_.x_gradient && !call_.lengths)
            write_input_gradient(runner, t0, count * call_.batch);
        else if (call_.x_gradient)
            for (i64 t = t0; t < t0 + count; ++t)
                write_input_gradient(runner, t, call_.active_sequences(t));
        for (const WeightGradient& w : program_.weight_gradients)
            if (call_.parameter_gradients[size_t(w.parameter)])
                add_weight_gradient(context, w, t0, count,
                                    is_first && assigns_gradients() &&
                                        program_.has_whole_gradient[size_t(w.parameter)]);
    }

    // The gradients of `rows` rows of the input, from step t on; this thread's share: its units of
    // all rows, or all units of some rows.
    void write_input_gradient(PhaseRunner<P>& runner, i64 t, i64 rows) {
        const i64 k = program_.find(Role::input_gradient), width = program_.input_width;
        const i64 from = shares_units_ ? 0 : rows * runner.id / threads_;
        const i64 to = shares_units_ ? rows : rows * (runner.id + 1) / threads_;
        i64 first_block, last_block, first, last;
        runner.block_range(width, first_block, last_block);
        runner.unit_range(width, first, last);
        Real* out = call_.x_gradient + t * call_.batch * width;
        if (runner.id == 0 && rows < call_.batch)
            std::fill(out + rows * width, out + call_.batch * width, Real(0));
        if (k < 0) {
            for (i64 r = from; r < to; ++r)
                std::fill(out + r * width + first, out + r * width + last, Real(0));
            return;
        }
        const BufferView<Real> own = runner.view(k);
        const bool in_place = !program_.bodies_write_input_gradient && width % L == 0;
        if (in_place) runner.view(k) = {{call_.x_gradient, call_.batch * width, width}, L};
        const i64 limit = to - from <= max_direct_rows ? max_direct_rows : tile_rows;
        for (i64 r = from; r < to; r += limit)
            for (const Product& p : program_.deferred)
                runner.multiply_to_target(p, t, r, std::min(to, r + limit), first_block,
                                          last_block);
        if (!in_place)
            for (i64 r = from; r < to; ++r)
                std::copy(own.at(t, r) + first, own.at(t, r) + last, out + r * width + first);
        runner.view(k) = own;
    }

    void add_weight_gradient(ThreadContext& context, const WeightGradient& w, i64 t0, i64 count,
                             bool assign) {
        const i64 rows = collect_rows(context, w, t0, count);
        if (rows == 0) return;
        const i64 id = context.runner.id, gates = i64(w.starts.size()), own = w.width / w.heads;
        Real* gradient = call_.parameter_gradients[size_t(w.parameter)];
        for (i64 head = 0; head < w.heads; ++head) {
            const i64 low = head * own / L, high = ceil_div((head + 1) * own, L);
            const i64 vectors = (high - low) * gates;
            const i64 m0 = (low * gates + vectors * id / threads_) * L;
            const i64 m1 = (low * gates + vectors * (id + 1) / threads_) * L;
            const auto find_row = [&](i64 m) -> Real* {
                const i64 unit = m / (gates * L) * L + m % L;
                if (unit >= w.width || unit / own != head) return nullptr;
                return gradient + (w.starts[size_t(m / L % gates)] + unit) * w.columns;
            };
            if (m1 > m0)
                add_outer_products<P>(m0, m1, w.columns, rows, context.deltas, context.operands,
                                      find_row, assign, context.outer_scratch);
            for (i64 q = 0; head + 1 < w.heads && q < rows; ++q) context.operands[q] += w.columns;
        }
    }
    // The addresses of a chunk's deltas and operands; returns how many rows there are.
    i64 collect_rows(ThreadContext& context, const WeightGradient& w, i64 t0, i64 count) {
        PhaseRunner<P>& runner = context.runner;
        const i64 row = runner.buffer(w.deltas).row;
        i64 rows = 0;
        for (i64 t = t0; t < t0 + count; ++t)
            for (i64 r = 0, end = call_.active_sequences(t); r < end; ++r, ++rows) {
                if constexpr (P::group == 1) context.deltas[rows] = runner.view(w.deltas).at(t, r);
                else
                    context.deltas[rows] =
                        rounded_deltas(runner, w.deltas) + ((t - t0) * call_.batch + r) * row;
                context.operands[rows] = operand_row(runner, w.operand, t, r);
            }
        return rows;
    }
    const Real* operand_row(PhaseRunner<P>& runner, i64 k, i64 t, i64 b) const {
        const Buffer& p = runner.buffer(k);
        if (p.role == Role::previous) return states_.previous_row(size_t(p.index), t, b);
        if (p.role == Role::input) return call_.x + (t * call_.batch + b) * program_.input_width;
        return runner.view(k).at(t, b);
    }

    // A parameter's gradient that is a sum over rows, from all threads' sums.
    void reduce_row_gradient(const RowGradient& g) {
        Real* to = call_.parameter_gradients[size_t(g.parameter)];
        if (!to) return;
        const Buffer& p = program_.buffer(g.buffer);
        for (int id = 0; id < threads_; ++id) {
            const Real* from = sums_[size_t(g.buffer)] + id * p.row + g.item * L;
            for (i64 u = 0; u < g.width; ++u) to[g.start + u] += from[u / L * p.block + u % L];
        }
    }
};

}  // namespace sluice::SLUICE_ISA
