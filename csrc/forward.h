// A layer in one direction over time.
#pragma once

#include "pool.h"
#include "states.h"

namespace sluice::SLUICE_ISA {

template <class P> class Forward {
    using Real = typename P::Real;
    static constexpr i64 L = lanes<Real>;

public:
    Forward(const Kernel<P>& kernel, const Call<Real>& call, Tape<Real>* tape)
        : kernel_(kernel), program_(kernel.program), call_(call), tape_(tape),
          direct_(program_.state_widths[0] % L == 0),
          states_(program_, call, tape, direct_, arena_) {
        const i64 b = call.batch;
        by_units_ = call.threads > 1 && b < 2 * call.threads;
        const bool few = by_units_ && !splits_by_units<Real>(program_, call.threads);
        threads_ = few ? int(std::max<i64>(1, std::min<i64>(b, call.threads))) : call.threads;
        by_units_ = by_units_ && !few;
        shared_.assign(program_.places.size(), nullptr);
        for (size_t k = 0; k < shared_.size(); ++k) {
            const Place& p = program_.places[k];
            if (p.scope == Scope::step && needs_memory(p)) shared_[k] = arena_.reals(b * p.row);
        }
    }

    void run() {
        for (i64 b = 0; b < call_.batch; ++b)
            if (call_.length(b) == 0) finish(b, [&](size_t s) { return initial(s, b); }, nullptr);
        run_team(threads_, [&](int id, Team& team) { thread(id, team); });
    }

private:
    const Kernel<P>& kernel_;
    const Program& program_;
    const Call<Real>& call_;
    Tape<Real>* tape_;
    bool direct_, by_units_ = false;
    Arena<Real> arena_;
    States<P> states_;
    int threads_ = 1;
    std::vector<Real*> shared_;

    static bool needs_memory(const Place& p) {
        return p.role == Role::scratch || p.role == Role::row_sums || p.role == Role::row_means;
    }
    const Real* initial(size_t s, i64 b) const {
        return states_.all[s].initial + b * states_.all[s].padded;
    }

    void thread(int id, Team& team) {
        Frame<P> frame(kernel_, call_, id, threads_, by_units_);
        Arena<Real> arena;
        const i64 rows = std::max<i64>(1, frame.rows());
        const i64 chunk = std::max<i64>(1, std::min(call_.steps, (rows >= 32 ? 64 : 96) / rows));
        furnish(frame, {&program_.hoisted, &program_.forward}, chunk * rows, arena);
        std::vector<Real*> own = bind_all(frame, chunk * rows, arena);
        Real* gathered = arena.reals(chunk * rows * program_.input_width + L);
        for (i64 done = 0; done < call_.steps; done += chunk) {
            const i64 count = std::min(chunk, call_.steps - done);
            const i64 t0 = call_.reverse ? call_.steps - done - count : done;
            if (frame.rows() > 0) hoist(frame, t0, count, own, gathered);
            for (i64 k = 0; k < count; ++k)
                step(frame, call_.reverse ? t0 + count - 1 - k : t0 + k, team);
        }
    }

    // Bind what stays where it is; return the thread's own memory for places of a chunk.
    std::vector<Real*> bind_all(Frame<P>& frame, i64 chunk_rows, Arena<Real>& arena) {
        std::vector<Real*> own(program_.places.size(), nullptr);
        for (size_t k = 0; k < own.size(); ++k) {
            const Place& p = program_.places[k];
            const i64 n = i64(k);
            if (p.role == Role::parameters) frame.bind(n, kernel_.constant[k], 0);
            else if (p.role == Role::mask) bind_mask(frame, n);
            else if (p.role == Role::tape && tape_) frame.bind(n, tape_->base[k], call_.batch);
            else if (p.role == Role::statistics)
                frame.bind(n, tape_ ? tape_->base[k] : arena.reals(call_.batch * p.row),
                           tape_ ? call_.batch : 0);
            else if (p.scope == Scope::step && shared_[k]) frame.bind(n, shared_[k], 0);
            else if (p.hoisted())
                own[k] = arena.reals(chunk_rows * p.row);
            else if (p.role == Role::input && program_.input_in_bodies)
                own[k] = arena.reals(call_.batch * p.row);
        }
        return own;
    }
    void bind_mask(Frame<P>& frame, i64 k) {
        const Strided<Real>& mask = call_.masks[size_t(program_.places[size_t(k)].index)];
        frame.where(k) = {mask.data, mask.time, mask.row, L};
    }

    // All that depends on the input alone, for `count` steps from t0 on, rows flat.
    void hoist(Frame<P>& frame, i64 t0, i64 count, const std::vector<Real*>& own, Real* gathered) {
        const i64 n = frame.rows(), width = program_.input_width;
        const i64 input = program_.find(Role::input);
        if (input >= 0) {
            const Real* from = call_.x + t0 * call_.batch * width;
            if (n != call_.batch) {
                for (i64 t = 0; t < count; ++t)
                    std::copy_n(from + (t * call_.batch + frame.row0) * width, n * width,
                                gathered + t * n * width);
                from = gathered;
            }
            frame.where(input) = {const_cast<Real*>(from), 0, width, L};
        }
        for (size_t k = 0; k < own.size(); ++k)
            if (own[k] && i64(k) != input) frame.bind(i64(k), own[k], 0);
        for (const Phase& phase : program_.hoisted) frame.run(phase, 0, 0, count * n);
        for (size_t k = 0; k < own.size(); ++k) {
            if (!own[k] || i64(k) == input) continue;
            const i64 row = program_.places[k].row;
            if (tape_ && program_.places[k].role == Role::hoisted_statistics)
                for (i64 t = 0; t < count; ++t)
                    std::copy_n(own[k] + t * n * row, n * row,
                                tape_->base[k] + ((t0 + t) * call_.batch + frame.row0) * row);
            frame.bind(i64(k), own[k] - (t0 * n + frame.row0) * row, n);
        }
        if (input >= 0 && own[size_t(input)]) frame.bind(input, own[size_t(input)], 0);
    }

    void step(Frame<P>& frame, i64 t, Team& team) {
        const i64 end = std::min(frame.row1, call_.active(t));
        if (end > frame.row0) {
            states_.bind(frame, t, frame.row0, end);
            for (size_t s = 0; s < states_.all.size(); ++s)
                frame.where(program_.find(Role::next, i64(s))) = states_.next(s, t);
            copy_input(frame, t, end);
        }
        for (const Phase& phase : program_.forward) {
            frame.run(phase, t, frame.row0, end);
            if (by_units_) team.barrier(frame.id);
        }
        hand_over(frame, t, end);
    }
    void copy_input(Frame<P>& frame, i64 t, i64 end) {
        if (!program_.input_in_bodies) return;
        const i64 k = program_.find(Role::input);
        const i64 width = program_.input_width;
        for (i64 b = frame.row0; b < end; ++b)
            copy_padded(frame.where(k).at(0, b), call_.x + (t * call_.batch + b) * width, width,
                        program_.places[size_t(k)].row);
    }

    // What the caller sees of step t: the output, and the last states of who ends here.
    void hand_over(Frame<P>& frame, i64 t, i64 end) {
        const i64 width = program_.state_widths[0];
        Real* y = call_.y + t * call_.batch * width;
        i64 first, last;
        units(frame, width, first, last);
        if (!direct_)
            for (i64 b = frame.row0; b < end; ++b) {
                const Real* from = states_.next_row(0, t, b);
                std::copy(from + first, from + last, y + b * width + first);
            }
        for (i64 b = std::max(end, frame.row0); b < frame.row1; ++b)
            std::fill(y + b * width + first, y + b * width + last, Real(0));
        for (i64 b = frame.row0; b < end; ++b) {
            if (t != (call_.reverse ? 0 : call_.length(b) - 1)) {
                if (!call_.lengths) return;
                continue;
            }
            finish(b, [&](size_t s) { return states_.next_row(s, t, b); }, &frame);
        }
    }
    static void units(const Frame<P>& frame, i64 width, i64& first, i64& last) {
        frame.range(width, first, last);
        first *= L, last = std::min(last * L, width);
    }
    template <class From> void finish(i64 b, From from, const Frame<P>* frame) {
        for (size_t s = 0; s < states_.all.size(); ++s) {
            const i64 width = states_.all[s].width;
            i64 first = 0, last = width;
            if (frame) units(*frame, width, first, last);
            std::copy(from(s) + first, from(s) + last, call_.last[s] + b * width + first);
        }
    }
};

}  // namespace sluice::SLUICE_ISA
