// One call's arguments, the tape that it leaves, and how its sequences lie in time.
#pragma once

#include <cstring>
#include <memory>

#include "matrix.h"
#include "pool.h"

namespace sluice::SLUICE_ISA {

template <class Real> struct Strided {
    Real* data = nullptr;
    i64 time = 0, row = 0;
};

// What a pass over time reads and writes; arrays are (time, batch, width) without padding.
template <class Real> struct Call {
    i64 steps = 0, batch = 0;
    const Real* x = nullptr;
    std::vector<const Real*> initial, restart;
    std::vector<Strided<Real>> masks;
    const i64* lengths = nullptr;      // descending, or null
    const uint8_t* resets = nullptr;   // (time, batch), in the direction's own sense, or null
    bool reverse = false;
    int threads = 1;
    Real* y = nullptr;
    std::vector<Real*> last;
    // The way back:
    const Real* upstream = nullptr;
    std::vector<const Real*> last_gradient;
    Real* x_gradient = nullptr;
    std::vector<Real*> initial_gradient, restart_gradient, parameter_gradient;

    i64 first_step(i64 b) const { return reverse ? length(b) - 1 : 0; }
    i64 length(i64 b) const { return lengths ? lengths[b] : steps; }
    // How many sequences (the longest come first) are under way at step t.
    i64 active(i64 t) const {
        if (!lengths) return batch;
        i64 low = 0, high = batch;
        while (low < high) {
            const i64 middle = (low + high) / 2;
            if (lengths[middle] > t) low = middle + 1;
            else high = middle;
        }
        return low;
    }
    bool restarts(i64 t, i64 b) const { return resets && resets[t * batch + b]; }
};

// What is kept of every step: of a forward pass what backpropagation needs (states, named values,
// statistics), or of a way back the gradients that someone records.
template <class Real> struct Tape {
    i64 steps, batch;
    Block memory;
    std::vector<Real*> base;  // of each place; null where the tape has none

    // `direct`: the output array itself holds the first state.
    static Tape of_values(const Program& program, i64 t, i64 b, bool direct) {
        return Tape(program, t, b, [direct](const Place& p) {
            return p.role == Role::tape || p.role == Role::statistics ||
                   p.role == Role::hoisted_statistics ||
                   (p.role == Role::next && !(direct && p.index == 0));
        });
    }
    static Tape of_gradients(const Program& program, i64 t, i64 b) {
        return Tape(program, t, b, [](const Place& p) { return p.role == Role::recorded; });
    }

    static i64 checked(i64 a, i64 b) {
        i64 product;
        if (__builtin_mul_overflow(a, b, &product) || product > (i64(1) << 56))
            throw std::bad_alloc();
        return product;
    }

private:
    template <class Kept>
    Tape(const Program& program, i64 t, i64 b, Kept kept) : steps(t), batch(b) {
        std::vector<i64> sizes(program.places.size(), 0);
        i64 total = 0;
        for (size_t k = 0; k < sizes.size(); ++k) {
            const Place& p = program.places[k];
            if (!kept(p)) continue;
            sizes[k] = checked(checked(t, b), (p.row + 15) / 16 * 16);
            total = total + sizes[k];
            if (total < 0 || total > (i64(1) << 56)) throw std::bad_alloc();
        }
        memory = Block(size_t(total + 64) * sizeof(Real));
        base.assign(sizes.size(), nullptr);
        auto* at = reinterpret_cast<Real*>(memory.data());
        for (size_t k = 0; k < sizes.size(); ++k)
            if (sizes[k]) base[k] = at, at += sizes[k];
    }
};

// A program with one layer's weights packed for it.
template <class P> struct Kernel {
    using Real = typename P::Real;
    static constexpr i64 L = lanes<Real>;
    const Program& program;
    std::vector<std::unique_ptr<Packed<P>>> matrices;
    Block constants;
    std::vector<Real*> constant;  // of each place of scope constant that parameters fill
    bool trains;

    Kernel(const Program& p, const Real* const* parameters, bool for_training, int threads)
        : program(p), matrices(p.matrices.size()), trains(for_training) {
        for (const auto* list : {&p.hoisted, &p.forward}) lay_out(*list);
        if (trains) {
            lay_out(p.backward);
            for (const Product& product : p.deferred) lay_out(product);
        }
        pack(parameters, weights() < alone ? 1 : threads);
        fill_constants(parameters);
    }

    // How many weights are packed, padding included.
    i64 weights() const {
        i64 found = 0;
        for (const auto& m : matrices)
            if (m) found += m->weights();
        return found;
    }

private:
    static constexpr i64 alone = 1 << 13;  // so few weights are packed sooner than another looks

    // Each thread begins with the panels that it will multiply by, where threads share units.
    void pack(const Real* const* parameters, int threads) {
        std::vector<std::pair<Packed<P>*, i64>> panels;
        std::vector<i64> ends;
        for (i64 id = 0; id < threads; ++id) {
            for (const auto& m : matrices)
                for (i64 k = m ? m->panels() * id / threads : 0;
                     m && k < m->panels() * (id + 1) / threads; ++k)
                    panels.push_back({m.get(), k});
            ends.push_back(i64(panels.size()));
        }
        share(ends, [&](auto next) {
            typename Packed<P>::Scratch scratch;
            for (i64 k = next(); k >= 0; k = next())
                panels[size_t(k)].first->pack(panels[size_t(k)].second, parameters, scratch);
        });
    }

    void lay_out(const std::vector<Phase>& phases) {
        for (const Phase& phase : phases)
            for (const Product& product : phase.products) lay_out(product);
    }
    void lay_out(const Product& product) {
        const Matrix& m = program.matrices[size_t(product.matrix)];
        const i64 results = m.transposed ? 1 : m.gates();
        const bool spread = program.places[size_t(product.target)].items != results;
        matrices[size_t(product.matrix)] = std::make_unique<Packed<P>>(m, spread);
    }
    void fill_constants(const Real* const* parameters) {
        i64 total = 0;
        for (const Place& p : program.places)
            if (p.role == Role::parameters) total += p.row;
        constants = Block(size_t(total + 16) * sizeof(Real));
        auto* at = reinterpret_cast<Real*>(constants.data());
        std::fill(at, at + total, Real(0));
        constant.assign(program.places.size(), nullptr);
        for (size_t k = 0; k < program.places.size(); ++k)
            if (program.places[k].role == Role::parameters)
                constant[k] = at, at += program.places[k].row;
        for (const UnitParameter& u : program.units) {
            const Place& p = program.places[size_t(u.place)];
            const Real* source = u.parameter >= 0 ? parameters[u.parameter] : nullptr;
            if (u.parameter >= 0 && !source) continue;
            for (i64 unit = 0; unit < p.width; ++unit)
                constant[size_t(u.place)][unit / L * p.block + u.item * L + unit % L] =
                    source ? source[u.start + unit] : Real(1);
        }
    }
};

}  // namespace sluice::SLUICE_ISA
