// Which of a pass's weights are packed before it.
#pragma once

#include "phase_runner.h"

namespace sluice::SLUICE_ISA {

// A matrix that is multiplied once in a pass, by at most so many rows, is read where it lies.
constexpr i64 max_direct_rows = 128;

inline bool is_one_step(i64 steps, i64 batch) { return steps == 1 && batch <= max_direct_rows; }

// Steps whose hoisted phases run at once.
inline i64 count_hoisted_steps(i64 steps, i64 rows) {
    return std::max<i64>(1, std::min(steps, (rows >= 32 ? 64 : 96) / std::max<i64>(1, rows)));
}

// Whether the threads of a pass divide its units, or each takes some sequences.
template <class Real> bool divides_units(const Program& program, const Call<Real>& call) {
    return call.threads > 1 &&
           (call.batch < 2 * call.threads || is_one_step(call.steps, call.batch)) &&
           can_share_units<Real>(program, call.threads);
}

// The storage of each matrix for a pass, forward or back.
template <class P>
std::vector<Storage> choose_storage(const Program& program, const Call<typename P::Real>& call,
                                    bool backward) {
    using Real = typename P::Real;
    std::vector<Storage> found(program.matrices.size(), Storage::none);
    // Each panel is read by one thread.
    const bool alone = call.threads == 1 || divides_units<Real>(program, call);
    const bool once = alone && is_one_step(call.steps, call.batch);
    const bool hoisted_once = alone && call.steps * call.batch <= max_direct_rows &&
                              count_hoisted_steps(call.steps, call.batch) == call.steps;
    const auto choose = [&](const Product& p, bool is_direct) {
        const bool accepted = DirectMatrix<P>::accepts(program.matrices[size_t(p.matrix)]);
        found[size_t(p.matrix)] = is_direct && accepted ? Storage::direct : Storage::packed;
    };
    const auto choose_all = [&](const std::vector<Phase>& phases, bool is_direct) {
        for (const Phase& phase : phases)
            for (const Product& p : phase.products) choose(p, is_direct);
    };
    if (backward) {
        choose_all(program.backward, once);
        for (const Product& p : program.deferred)
            choose(p, alone && call.steps * call.batch <= max_direct_rows);
    } else {
        choose_all(program.hoisted, hoisted_once);
        choose_all(program.forward, once);
    }
    return found;
}

// The storage of each matrix for any pass: packed, those of the way back only `if_trains`.
inline std::vector<Storage> pack_all(const Program& program, bool if_trains) {
    std::vector<Storage> found(program.matrices.size(), Storage::none);
    visit_products(program, [&](const Product& p, bool is_backward) {
        if (if_trains || !is_backward) found[size_t(p.matrix)] = Storage::packed;
    });
    return found;
}

}  // namespace sluice::SLUICE_ISA
