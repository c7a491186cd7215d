// One layer's weights, packed for its program.
#pragma once

#include <memory>

#include "input_matrices.h"

namespace sluice::SLUICE_ISA {

template <class P> struct PackedWeights {
    using Real = typename P::Real;
    static constexpr i64 L = lanes<Real>;
    const Program& program;
    std::vector<std::unique_ptr<PackedMatrix<P>>> matrices;
    AlignedBlock constants;
    std::vector<Real*> constant;  // of each buffer that parameters fill
    bool trains;                  // backward matrices are packed as well

    // `parameters`: the address of each; null for one that this layer lacks.
    PackedWeights(const Program& p, const Real* const* parameters, bool for_training, int threads)
        : program(p), matrices(p.matrices.size()), trains(for_training) {
        for (const auto* list : {&p.hoisted, &p.forward}) create_matrices(*list);
        if (trains) {
            create_matrices(p.backward);
            for (const Product& product : p.deferred) create_matrix(product);
        }
        const int packing = weight_count() < min_shared_weights ? 1 : threads;
        pack(parameters, packing);
        if constexpr (P::group == 4)
            input_matrices_ = std::make_unique<InputMatrices>(program, parameters, packing);
        fill_constants(parameters);
    }

    const PackedMatrix<P>& matrix(i64 k) const { return *matrices[size_t(k)]; }
    // In int8, matrix k in bfloat16 as well; null where it does not map the input.
    const InputMatrix* input_matrix(i64 k) const {
        return input_matrices_ ? input_matrices_->find(k) : nullptr;
    }
    // How many weights are packed, padding included.
    i64 weight_count() const {
        i64 found = 0;
        for (const auto& m : matrices)
            if (m) found += m->weight_count();
        return found;
    }

private:
    static constexpr i64 min_shared_weights = 1 << 13;  // fewer are packed sooner by one thread
    std::unique_ptr<InputMatrices> input_matrices_;

    // Each thread begins with the panels that it will multiply by, where threads share units.
    void pack(const Real* const* parameters, int threads) {
        std::vector<std::pair<PackedMatrix<P>*, i64>> panels;
        std::vector<i64> ends;
        for (i64 id = 0; id < threads; ++id) {
            for (const auto& m : matrices)
                for (i64 k = m ? m->panels() * id / threads : 0;
                     m && k < m->panels() * (id + 1) / threads; ++k)
                    panels.push_back({m.get(), k});
            ends.push_back(i64(panels.size()));
        }
        share_work(ends, [&](auto next) {
            typename PackedMatrix<P>::Scratch scratch;
            for (i64 k = next(); k >= 0; k = next())
                panels[size_t(k)].first->pack(panels[size_t(k)].second, parameters, scratch);
        });
    }

    void create_matrices(const std::vector<Phase>& phases) {
        for (const Phase& phase : phases)
            for (const Product& product : phase.products) create_matrix(product);
    }
    void create_matrix(const Product& product) {
        const Matrix& m = program.matrices[size_t(product.matrix)];
        const bool interleaved = program.buffer(product.target).items != m.results();
        matrices[size_t(product.matrix)] = std::make_unique<PackedMatrix<P>>(m, interleaved);
    }
    void fill_constants(const Real* const* parameters) {
        i64 total = 0;
        for (const Buffer& p : program.buffers)
            if (p.role == Role::parameters) total = add_checked(total, p.row);
        constants = AlignedBlock(size_t(multiply_checked(total + 16, sizeof(Real))));
        auto* at = reinterpret_cast<Real*>(constants.data());
        std::fill(at, at + total, Real(0));
        constant.assign(program.buffers.size(), nullptr);
        for (size_t k = 0; k < program.buffers.size(); ++k)
            if (program.buffers[k].role == Role::parameters)
                constant[k] = at, at += program.buffers[k].row;
        for (const UnitParameter& u : program.unit_parameters) fill_constant(u, parameters);
    }
    void fill_constant(const UnitParameter& u, const Real* const* parameters) {
        const Buffer& p = program.buffer(u.buffer);
        const Real* source = u.parameter >= 0 ? parameters[u.parameter] : nullptr;
        if (u.parameter >= 0 && !source) return;
        for (i64 unit = 0; unit < p.width; ++unit)
            constant[size_t(u.buffer)][unit / L * p.block + u.item * L + unit % L] =
                source ? source[u.start + unit] : Real(1);
    }
};

}  // namespace sluice::SLUICE_ISA
