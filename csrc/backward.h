// Backpropagation through time for a layer in one direction.
#pragma once

#include "outer.h"
#include "pool.h"
#include "states.h"

namespace sluice::SLUICE_ISA {

template <class P> class Backward {
    using Real = typename P::Real;
    using A = typename P::A;
    static constexpr i64 L = lanes<Real>;
    static constexpr i64 chunk_rows = 1024;

public:
    // `recorded` is where a program that records gradients leaves them; null for any other.
    Backward(const Kernel<P>& kernel, const Call<Real>& call, const Tape<Real>& tape,
             Tape<Real>* recorded)
        : kernel_(kernel), program_(kernel.program), call_(call), tape_(tape), recorded_(recorded),
          direct_(program_.state_widths[0] % L == 0),
          states_(program_, call, &tape, direct_, arena_) {
        const i64 b = call.batch;
        by_units_ = call.threads > 1 && b < 2 * call.threads &&
                    splits_by_units<Real>(program_, call.threads);
        threads_ = by_units_ ? call.threads
                             : int(std::max<i64>(1, std::min<i64>(b / 2, call.threads)));
        steps_ = std::max<i64>(1, std::min(call.steps, ceil_div(chunk_rows, std::max<i64>(1, b))));
        allocate();
    }

    void run() {
        for (i64 b = 0; b < call_.batch; ++b)
            if (call_.length(b) == 0) pass_by(b);
        run_team(threads_, [&](int id, Team& team) { thread(id, team); });
        for (const RowGradient& g : program_.rows) gather(g);
        for (size_t s = 0; s < states_.all.size(); ++s)
            if (!call_.restart_gradient.empty() && call_.restart_gradient[s])
                for (int id = 0; id < threads_; ++id)
                    for (i64 u = 0; u < states_.all[s].width; ++u)
                        call_.restart_gradient[s][u] += restart_sums_[s][id * states_.all[s].padded + u];
    }

private:
    const Kernel<P>& kernel_;
    const Program& program_;
    const Call<Real>& call_;
    const Tape<Real>& tape_;
    Tape<Real>* recorded_;
    bool direct_, by_units_ = false;
    Arena<Real> arena_;
    States<P> states_;
    int threads_ = 1;
    i64 steps_ = 1;
    std::vector<Real*> shared_, sums_;       // by place: scratch; sums over rows, for each thread
    // Deltas as the product reads them, by place: where threads share units each rounds them all for
    // itself.
    std::vector<std::vector<A*>> rounded_;
    std::vector<Real*> flows_[2], restart_sums_;
    std::vector<i64> unrounded_, moving_;  // places; moving: bound anew at every step

    void allocate() {
        const i64 b = call_.batch;
        shared_.assign(program_.places.size(), nullptr);
        sums_ = shared_;
        rounded_.assign(by_units_ ? size_t(threads_) : 1, std::vector<A*>(program_.places.size()));
        for (size_t k = 0; k < shared_.size(); ++k) {
            const Place& p = program_.places[k];
            if (p.role == Role::flow || p.role == Role::flow_out || p.role == Role::row_sums ||
                p.role == Role::upstream || p.role == Role::input)
                moving_.push_back(i64(k));
            const bool step = p.role == Role::scratch || p.role == Role::row_sums ||
                              p.role == Role::row_means;
            const bool chunk = p.role == Role::deltas || p.role == Role::learned_operand ||
                               p.role == Role::input_gradient;
            if ((step && p.scope == Scope::step) || p.role == Role::upstream ||
                p.role == Role::input)
                shared_[k] = arena_.reals(b * p.row);
            if (chunk) shared_[k] = arena_.reals(steps_ * b * p.row);
            if (p.role == Role::row_gradients) {
                sums_[k] = arena_.reals(threads_ * p.row);
                std::fill(sums_[k], sums_[k] + threads_ * p.row, Real(0));
            }
            if (P::group > 1 && p.role == Role::deltas)
                for (auto& own : rounded_) own[k] = arena_.template take<A>(steps_ * b * p.row);
        }
        for (size_t k = 0; k < shared_.size() && P::group > 1; ++k) {
            bool used = program_.places[k].role != Role::deltas;
            for (const Phase& phase : program_.backward)
                for (const Product& p : phase.products) used |= p.operand == i64(k);
            if (!used) unrounded_.push_back(i64(k));
        }
        for (const auto& one : states_.all) {
            for (auto& flow : flows_) flow.push_back(arena_.reals(b * one.padded));
            restart_sums_.push_back(arena_.reals(threads_ * one.padded));
            std::fill(restart_sums_.back(), restart_sums_.back() + threads_ * one.padded, Real(0));
        }
    }

    A* rounded(const Frame<P>& frame, i64 k) const {
        return rounded_[by_units_ ? size_t(frame.id) : 0][size_t(k)];
    }

    // A sequence without steps: its gradient goes by it.
    void pass_by(i64 b) {
        for (size_t s = 0; s < states_.all.size(); ++s) {
            const i64 width = states_.all[s].width;
            const Real* from = call_.last_gradient[s];
            copy_padded(call_.initial_gradient[s] + b * width, from ? from + b * width : nullptr,
                        width, width);
        }
    }

    void thread(int id, Team& team) {
        Frame<P> frame(kernel_, call_, id, threads_, by_units_);
        Arena<Real> arena;
        furnish(frame, {&program_.backward}, call_.batch, arena);
        bind_all(frame);
        void* scratch = arena.template take<char>(i64(outer_scratch_bytes<P>(widest())));
        const void** lists = arena.template take<const void*>(2 * steps_ * call_.batch);
        int turn = 0;
        for (i64 done = 0; done < call_.steps; done += steps_) {
            const i64 count = std::min(steps_, call_.steps - done);
            const i64 t0 = call_.reverse ? done : call_.steps - done - count;
            bind_chunk(frame, t0);
            for (i64 k = 0; k < count; ++k, turn ^= 1)
                step(frame, call_.reverse ? t0 + k : t0 + count - 1 - k, turn, team);
            if (threads_ > 1) team.barrier(id);
            finish_chunk(frame, t0, count, scratch, lists);
            if (threads_ > 1) team.barrier(id);
        }
    }
    i64 widest() const {
        i64 found = 1;
        for (const WeightGradient& w : program_.weights) found = std::max(found, w.columns);
        return found;
    }

    void bind_all(Frame<P>& frame) {
        for (size_t k = 0; k < shared_.size(); ++k) {
            const Place& p = program_.places[k];
            const i64 n = i64(k);
            if (p.role == Role::parameters) frame.bind(n, kernel_.constant[k], 0);
            else if (p.role == Role::row_gradients)
                frame.where(n) = {sums_[k] + frame.id * p.row, 0, 0, p.block};
            else if (p.role == Role::mask) {
                const Strided<Real>& mask = call_.masks[size_t(p.index)];
                frame.where(n) = {mask.data, mask.time, mask.row, L};
            } else if (tape_.base[k]) frame.bind(n, tape_.base[k], call_.batch);
            else if (p.role == Role::recorded) frame.bind(n, recorded_->base[k], call_.batch);
            else if (p.role == Role::next) frame.where(n) = states_.next(size_t(p.index), 0);
            else if (shared_[k]) frame.bind(n, shared_[k], 0);
        }
    }
    void bind_chunk(Frame<P>& frame, i64 t0) {
        for (size_t k = 0; k < shared_.size(); ++k) {
            const Place& p = program_.places[k];
            if (p.role == Role::deltas || p.role == Role::learned_operand ||
                p.role == Role::input_gradient)
                frame.bind(i64(k), shared_[k] - t0 * call_.batch * p.row, call_.batch);
        }
        for (const auto* list : {&program_.backward})
            for (const Phase& phase : *list)
                for (const Product& p : phase.products) bind_operand(frame, p, t0);
        for (const Product& p : program_.deferred) bind_operand(frame, p, t0);
    }
    void bind_operand(Frame<P>& frame, const Product& p, i64 t0) {
        if constexpr (P::group > 1) {
            const i64 row = frame.place(p.operand).row;
            frame.operands[size_t(p.matrix)] = {
                rounded(frame, p.operand) - t0 * call_.batch * row, call_.batch * row, row};
        }
    }

    void step(Frame<P>& frame, i64 t, int turn, Team& team) {
        const i64 end = std::min(frame.row1, call_.active(t));
        if (end > frame.row0) prepare(frame, t, end, turn);
        for (const Phase& phase : program_.backward) {
            frame.run(phase, t, frame.row0, end);
            if (by_units_) team.barrier(frame.id);
        }
        for (i64 b = frame.row0; b < end; ++b) outward(frame, t, b, turn);
        if constexpr (P::group > 1) round(frame, t, end);
    }
    // Deltas that no product of the step has rounded already.
    void round(Frame<P>& frame, i64 t, i64 end) {
        for (i64 k : unrounded_) {
            const Bound<Real>& from = frame.where(k);
            A* to = rounded(frame, k) + (from.at(t, 0) - shared_[size_t(k)]);
            for (i64 b = frame.row0; b < end; ++b)
                to_bf16(to + b * from.row, from.at(t, b), from.row);
        }
    }

    void prepare(Frame<P>& frame, i64 t, i64 end, int turn) {
        states_.bind(frame, t, frame.row0, end);
        for (i64 k : moving_) {
            const Place& p = frame.place(k);
            const size_t s = size_t(p.index);
            if (p.role == Role::flow) frame.bind(k, flows_[turn][s], 0);
            if (p.role == Role::flow_out) frame.bind(k, flows_[turn ^ 1][s], 0);
            if (p.role == Role::row_sums)
                for (i64 b = frame.row0; b < end; ++b)
                    std::fill_n(frame.where(k).at(0, b), p.row, Real(0));
            if (p.role == Role::upstream) bind_rows(frame, k, call_.upstream, t, end);
            if (p.role == Role::input) bind_rows(frame, k, call_.x, t, end);
        }
        for (i64 b = frame.row0; b < end; ++b)
            if (t == (call_.reverse ? 0 : call_.length(b) - 1)) enter(frame, b, turn);
    }
    // An array of the caller's: as it is, or, where rows need padding, a padded copy of a step.
    void bind_rows(Frame<P>& frame, i64 k, const Real* from, i64 t, i64 end) {
        const Place& p = program_.places[size_t(k)];
        const Real* rows = from ? from + t * call_.batch * p.width : nullptr;
        if (rows && p.width % L == 0) {
            frame.where(k) = {const_cast<Real*>(rows), 0, p.width, L};
            return;
        }
        frame.bind(k, shared_[size_t(k)], 0);
        i64 first, last;
        frame.range(p.width, first, last);
        first *= L, last *= L;
        const i64 valid = std::min(last, p.width);
        for (i64 b = frame.row0; b < end && last > first; ++b)
            copy_padded(frame.where(k).at(0, b) + first, rows ? rows + b * p.width + first : nullptr,
                        valid - first, last - first);
    }
    // The gradient of a sequence's last states comes in.
    void enter(Frame<P>& frame, i64 b, int turn) {
        for (size_t s = 0; s < states_.all.size(); ++s) {
            const auto& one = states_.all[s];
            i64 first, last;
            frame.range(one.width, first, last);
            first *= L, last *= L;
            if (last <= first) continue;
            const Real* from = call_.last_gradient[s];
            copy_padded(flows_[turn][s] + b * one.padded + first,
                        from ? from + b * one.width + first : nullptr,
                        std::min(last, one.width) - first, last - first);
        }
    }
    // Where a sequence begins, its gradient leaves: to the initial states, or to the restart's.
    void outward(Frame<P>& frame, i64 t, i64 b, int turn) {
        const bool first_step = t == call_.first_step(b), anew = call_.restarts(t, b);
        if (!first_step && !anew) return;
        for (size_t s = 0; s < states_.all.size(); ++s) {
            const auto& one = states_.all[s];
            i64 first, last;
            frame.range(one.width, first, last);
            first *= L, last = std::min(last * L, one.width);
            Real* flow = flows_[turn ^ 1][s] + b * one.padded;
            if (anew)
                for (i64 u = first; u < last; ++u) {
                    restart_sums_[s][frame.id * one.padded + u] += flow[u];
                    flow[u] = 0;
                }
            if (first_step && last > first)
                std::copy(flow + first, flow + last, call_.initial_gradient[s] + b * one.width + first);
        }
    }

    // What many steps share: the input's gradient, and the weights'.
    void finish_chunk(Frame<P>& frame, i64 t0, i64 count, void* scratch, const void** lists) {
        if (call_.x_gradient) {
            if (!call_.lengths)
                input_gradient(frame, t0, count * call_.batch);
            else
                for (i64 t = t0; t < t0 + count; ++t) input_gradient(frame, t, call_.active(t));
        }
        for (const WeightGradient& w : program_.weights)
            if (call_.parameter_gradient[size_t(w.parameter)]) weights(frame, w, t0, count, scratch, lists);
    }

    // The gradients of `rows` rows of the input, from step t on; this thread's share of them.
    void input_gradient(Frame<P>& frame, i64 t, i64 rows) {
        const i64 k = program_.find(Role::input_gradient), width = program_.input_width;
        const i64 from = rows * frame.id / threads_, to = rows * (frame.id + 1) / threads_;
        Real* out = call_.x_gradient + t * call_.batch * width;
        if (frame.id == 0 && rows < call_.batch)
            std::fill(out + rows * width, out + call_.batch * width, Real(0));
        if (k < 0) {
            std::fill(out + from * width, out + to * width, Real(0));
            return;
        }
        const Bound<Real> kept = frame.where(k);
        const bool straight = !program_.input_rest && width % L == 0;
        if (straight) frame.where(k) = {out - t * call_.batch * width, call_.batch * width, width, L};
        for (i64 r = from; r < to; r += tile_rows)
            for (const Product& p : program_.deferred)
                frame.direct(p, t, r, std::min(to, r + tile_rows), 0, place_blocks(k));
        if (!straight)
            for (i64 r = from; r < to; ++r) std::copy_n(kept.at(t, r), width, out + r * width);
        frame.where(k) = kept;
    }
    i64 place_blocks(i64 k) const { return program_.places[size_t(k)].blocks; }

    void weights(Frame<P>& frame, const WeightGradient& w, i64 t0, i64 count, void* scratch,
                 const void** lists) {
        const Place& deltas = program_.places[size_t(w.deltas)];
        const i64 gates = i64(w.starts.size());
        auto** a = reinterpret_cast<const A**>(lists);
        auto** b = reinterpret_cast<const Real**>(lists + steps_ * call_.batch);
        i64 rows = 0;
        for (i64 t = t0; t < t0 + count; ++t)
            for (i64 r = 0, end = call_.active(t); r < end; ++r, ++rows) {
                if constexpr (P::group == 1) a[rows] = frame.where(w.deltas).at(t, r);
                else a[rows] = rounded(frame, w.deltas) + ((t - t0) * call_.batch + r) * deltas.row;
                b[rows] = operand_row(frame, w.operand, t, r);
            }
        Real* gradient = call_.parameter_gradient[size_t(w.parameter)];
        const i64 own = w.width / w.heads;
        for (i64 head = 0; head < w.heads; ++head) {
            const i64 low = head * own / L, high = ceil_div((head + 1) * own, L);
            const i64 vectors = (high - low) * gates;
            const i64 m0 = (low * gates + vectors * frame.id / threads_) * L;
            const i64 m1 = (low * gates + vectors * (frame.id + 1) / threads_) * L;
            const auto row_of = [&](i64 m) -> Real* {
                const i64 unit = m / (gates * L) * L + m % L;
                if (unit >= w.width || unit / own != head) return nullptr;
                return gradient + (w.starts[size_t(m / L % gates)] + unit) * w.columns;
            };
            if (m1 > m0 && rows > 0)
                outer<P>(m0, m1, w.columns, rows, a, b, row_of, scratch);
            for (i64 q = 0; w.heads > 1 && q < rows; ++q) b[q] += w.columns;
        }
    }
    const Real* operand_row(Frame<P>& frame, i64 k, i64 t, i64 b) const {
        const Place& p = program_.places[size_t(k)];
        if (p.role == Role::previous) return states_.previous_row(size_t(p.index), t, b);
        if (p.role == Role::input)
            return call_.x + (t * call_.batch + b) * program_.input_width;
        return frame.where(k).at(t, b);
    }

    // A parameter's gradient that is a sum over rows, from all threads' sums.
    void gather(const RowGradient& g) {
        Real* to = call_.parameter_gradient[size_t(g.parameter)];
        if (!to) return;
        const Place& p = program_.places[size_t(g.place)];
        for (int id = 0; id < threads_; ++id) {
            const Real* from = sums_[size_t(g.place)] + id * p.row + g.item * L;
            for (i64 u = 0; u < g.width; ++u) to[g.start + u] += from[u / L * p.block + u % L];
        }
    }
};

}  // namespace sluice::SLUICE_ISA
