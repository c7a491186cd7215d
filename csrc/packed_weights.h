// One layer's weights, as the products of its program read them.
#pragma once

#include <memory>

#include "direct.h"
#include "input_matrices.h"

namespace sluice::SLUICE_ISA {

// Where a matrix's weights are read: nowhere, in a packed copy, or where its parameter lies.
enum class Storage : uint8_t { none, packed, direct };

// Call visit(product, is_backward) for every product.
template <class Visit> void visit_products(const Program& program, Visit visit) {
    for (const auto* list : {&program.hoisted, &program.forward, &program.backward})
        for (const Phase& phase : *list)
            for (const Product& p : phase.products) visit(p, list == &program.backward);
    for (const Product& p : program.deferred) visit(p, true);
}

template <class P> struct PackedWeights {
    using Real = typename P::Real;
    using DirectScratch = typename DirectMatrix<P>::Scratch;
    static constexpr i64 L = lanes<Real>;
    const Program& program;
    AlignedBlock constants;
    std::vector<Real*> constant;  // of each buffer that parameters fill

    // `parameters`: the address of each; null for one that this layer lacks. `storage`: of each
    // matrix; parameters of a direct one must outlive this and stay as they are.
    PackedWeights(const Program& p, const Real* const* parameters,
                  const std::vector<Storage>& storage, int threads)
        : program(p), packed_(p.matrices.size()), direct_(p.matrices.size()) {
        visit_products(p, [&](const Product& product, bool) {
            const size_t k = size_t(product.matrix);
            const Matrix& m = program.matrices[k];
            const bool interleaved = program.is_interleaved(product);
            if (storage[k] == Storage::direct)
                direct_[k] = std::make_unique<DirectMatrix<P>>(m, interleaved, parameters);
            if (storage[k] == Storage::packed)
                packed_[k] = std::make_unique<PackedMatrix<P>>(m, interleaved);
        });
        const int packing = weight_count() < min_shared_weights ? 1 : threads;
        pack_panels<typename PackedMatrix<P>::Scratch>(packed_, parameters, packing);
        if constexpr (P::group == 4)
            input_matrices_ = std::make_unique<InputMatrices>(program, parameters, packing);
        fill_constants(parameters);
    }

    bool is_direct(i64 k) const { return direct_[size_t(k)] != nullptr; }
    bool has_direct() const {
        return std::any_of(direct_.begin(), direct_.end(), [](const auto& m) { return bool(m); });
    }
    const PanelLayout<P>& matrix(i64 k) const {
        if (is_direct(k)) return *direct_[size_t(k)];
        return *packed_[size_t(k)];
    }
    // As `PackedMatrix::multiply` does, by matrix k; `scratch` for a direct one.
    void multiply(i64 k, const typename P::A* a, i64 ld_a, i64 rows, Real* out, i64 ld_out,
                  i64 out_block, i64 first, i64 last, bool accumulate, const Real* scales,
                  DirectScratch* scratch) const {
        if constexpr (P::group < 4)
            if (const auto& direct = direct_[size_t(k)])
                return direct->multiply(a, ld_a, rows, out, ld_out, out_block, first, last,
                                        accumulate, *scratch);
        packed_[size_t(k)]->multiply(a, ld_a, rows, out, ld_out, out_block, first, last, accumulate,
                                     scales);
    }
    // In int8, matrix k in bfloat16 as well; null where it does not map the input.
    const InputMatrix* input_matrix(i64 k) const {
        return input_matrices_ ? input_matrices_->find(k) : nullptr;
    }
    // How many weights are packed, padding included.
    i64 weight_count() const {
        i64 found = 0;
        for (const auto& m : packed_)
            if (m) found += m->weight_count();
        return found;
    }

private:
    static constexpr i64 min_shared_weights = 1 << 13;  // fewer are packed sooner by one thread
    std::vector<std::unique_ptr<PackedMatrix<P>>> packed_;
    std::vector<std::unique_ptr<DirectMatrix<P>>> direct_;
    std::unique_ptr<InputMatrices> input_matrices_;

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
                source ? source[u.start + unit] : Real(u.start);
    }
};

}  // namespace sluice::SLUICE_ISA
