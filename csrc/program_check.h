// Checks that the parts of a program fit each other, so that running it stays inside its buffers.
//
// The reader has checked that every index is inside its table. What remains: widths and items of
// buffers that are used together, roles that have memory where they are used, rows of parameters.
#pragma once

#include <initializer_list>

#include "program.h"
#include "sections.h"

namespace sluice::SLUICE_ISA {

class ProgramChecker {
public:
    explicit ProgramChecker(const Program& program) : p_(program) {}

    void check() {
        for (const Buffer& b : p_.buffers) check_buffer(b);
        check_unique(), products_of_.assign(p_.matrices.size(), 0);
        for (const Matrix& m : p_.matrices) check_matrix(m);
        for (const Phase& phase : p_.hoisted) check_phase(Part::hoisted, phase);
        for (const Phase& phase : p_.forward) check_phase(Part::forward, phase);
        for (const Phase& phase : p_.backward) check_phase(Part::backward, phase);
        for (const Product& product : p_.deferred) {
            check_product(Part::backward, product);
            require_role("a deferred product's target", product.target, {Role::input_gradient});
        }
        for (const i64 count : products_of_)
            if (count != 1) fail("matrices", "one product of each", count);
        for (const WeightGradient& w : p_.weight_gradients) check_weight_gradient(w);
        for (const RowGradient& g : p_.row_gradients) check_row_gradient(g);
        for (const UnitParameter& u : p_.unit_parameters) check_unit_parameter(u);
    }

private:
    enum class Part { hoisted, forward, backward };
    using Roles = std::initializer_list<Role>;

    const Program& p_;
    std::vector<i64> products_of_;  // of each matrix

    [[noreturn]] static void fail(const char* where, const std::string& expected, i64 found) {
        reject(std::string("the program, ") + where, expected, found);
    }
    static void require_equal(const char* where, const char* what, i64 expected, i64 found) {
        if (found != expected)
            fail(where, std::string(what) + " " + std::to_string(expected), found);
    }
    static void require_at_most(const char* where, const char* what, i64 limit, i64 found) {
        if (found > limit)
            fail(where, std::string(what) + " of at most " + std::to_string(limit), found);
    }
    static bool is_one_of(Role role, Roles roles) {
        for (Role other : roles)
            if (role == other) return true;
        return false;
    }
    void require_role(const char* where, i64 buffer, Roles roles) const {
        const Role found = p_.buffer(buffer).role;
        if (is_one_of(found, roles)) return;
        std::string expected;
        for (Role role : roles)
            expected +=
                (expected.empty() ? "a buffer of role " : " or ") + std::to_string(i64(role));
        fail(where, expected, i64(found));
    }

    // Buffers -------------------------------------------------------------------------------------

    static bool has_scope(Role role, Scope scope) {
        switch (role) {
        case Role::scratch: return scope == Scope::chunk || scope == Scope::step;
        case Role::deltas:
        case Role::weight_operand:
        case Role::input_gradient: return scope == Scope::chunk;
        case Role::parameters:
        case Role::row_gradients: return scope == Scope::constant;
        case Role::previous:
        case Role::state_gradient:
        case Role::previous_state_gradient:
        case Role::row_sums:
        case Role::row_means:
        case Role::mapped_rows:
        case Role::tile: return scope == Scope::step;
        default: return scope == Scope::time;
        }
    }
    static bool is_state(Role role) {
        return is_one_of(role, {Role::previous, Role::next, Role::state_gradient,
                                Role::previous_state_gradient});
    }

    void check_buffer(const Buffer& b) const {
        if (!has_scope(b.role, b.scope))
            fail("buffers", "a scope that role " + std::to_string(i64(b.role)) + " has",
                 i64(b.scope));
        if (b.holds_scalars() || b.role == Role::row_sums)
            require_equal("buffers", "width", 0, b.width);
        else if (b.width < 1) fail("buffers", "a width of at least 1", b.width);
        if (is_state(b.role)) check_table_row(b, p_.state_widths, "the width of its state:");
        else if (b.role == Role::mask) check_table_row(b, p_.mask_widths, "the width of its mask:");
        else if (b.role == Role::output_gradient)
            check_table_row(b, p_.output_widths(), "the width of its output:");
        else if (b.role == Role::input || b.role == Role::input_gradient)
            check_single(b, p_.input_width, "the input's width:");
        else require_at_most("buffers", "an index", i64(p_.buffers.size()), b.index);
    }
    static void check_table_row(const Buffer& b, const std::vector<i64>& widths, const char* what) {
        require_at_most("buffers", "an index", i64(widths.size()) - 1, b.index);
        require_equal("buffers", what, widths[size_t(b.index)], b.width);
        require_equal("buffers", "items", 1, b.items);
    }
    static void check_single(const Buffer& b, i64 width, const char* what) {
        require_equal("buffers", "index", 0, b.index);
        require_equal("buffers", what, width, b.width);
        require_equal("buffers", "items", 1, b.items);
    }

    // Of these roles there is one buffer for each index; every state has one that it is left in.
    void check_unique() const {
        std::vector<i64> counts[role_count];
        for (auto& of_role : counts)
            of_role.assign(std::max(p_.state_widths.size(), p_.mask_widths.size()) + 1, 0);
        for (const Buffer& b : p_.buffers) {
            if (!is_state(b.role) && !is_one_of(b.role, {Role::mask, Role::output_gradient,
                                                         Role::input, Role::input_gradient}))
                continue;
            i64& count = counts[size_t(b.role)][size_t(b.index)];
            if (++count > 1) fail("buffers", "one of role " + std::to_string(i64(b.role)), count);
        }
        for (size_t s = 0; s < p_.state_widths.size(); ++s)
            require_equal("buffers", "buffers of a step's states:", 1,
                          counts[size_t(Role::next)][s]);
    }

    // Matrices and products -----------------------------------------------------------------------

    i64 parameter_size(i64 k) const { return p_.parameter_sizes[size_t(k)]; }

    void check_rows(const char* where, i64 parameter, i64 columns, const std::vector<i64>& starts,
                    i64 rows) const {
        const i64 size = parameter_size(parameter);
        if (starts.empty()) fail(where, "at least one gate", 0);
        if (size % columns != 0)
            fail(where, "columns that divide " + std::to_string(size), columns);
        for (i64 start : starts) require_at_most(where, "a last row", size / columns, start + rows);
    }

    void check_matrix(const Matrix& m) const {
        const i64 own = m.transposed ? m.width : m.inner, gate = m.transposed ? m.inner : m.width;
        if (m.width % m.heads != 0 || m.inner % m.heads != 0)
            fail("matrices", "heads that divide the widths", m.heads);
        require_equal("matrices", "columns", own / m.heads, m.columns);
        check_rows("matrices", m.weight, m.columns, m.starts, gate);
        require_at_most("matrices", "gates", max_items, m.gates());
        if (m.bias < 0) return;
        if (m.transposed) fail("matrices", "no bias of a transposed matrix", m.bias);
        if (!m.bias_starts.empty())
            require_equal("matrices", "gates", m.gates(), i64(m.bias_starts.size()));
        for (i64 start : m.bias_starts.empty() ? m.starts : m.bias_starts)
            require_at_most("matrices", "a bias's last row", parameter_size(m.bias), start + gate);
    }

    void check_product(Part part, const Product& product) {
        const Matrix& m = p_.matrices[size_t(product.matrix)];
        const Buffer& operand = p_.buffer(product.operand);
        const Buffer& target = p_.buffer(product.target);
        ++products_of_[size_t(product.matrix)];
        const bool backward = part == Part::backward;
        require_equal("products", "transposition", backward, m.transposed);
        require_equal("products", "an operand's items", backward ? m.gates() : 1, operand.items);
        require_equal("products", "an operand's width", m.inner, operand.width);
        require_equal("products", "a target's width", m.width, target.width);
        require_at_most("products", "items", target.items, product.item + m.results());
        if (backward) {
            require_role("a product's operand", product.operand, {Role::deltas});
        } else {
            require_role("a product's operand", product.operand,
                         {part == Part::hoisted ? Role::input : Role::previous, Role::scratch});
            check_scratch(part, operand);
        }
    }
    // Scratch memory of a chunk belongs to hoisted phases, that of a step to the others.
    static void check_scratch(Part part, const Buffer& b) {
        if (b.role != Role::scratch || part == Part::forward) return;
        const Scope scope = part == Part::hoisted ? Scope::chunk : Scope::step;
        require_equal("phases", "a scratch buffer's scope", i64(scope), i64(b.scope));
    }

    // Phases --------------------------------------------------------------------------------------

    void check_phase(Part part, const Phase& phase) {
        for (const NormStatistics& s : phase.statistics) check_statistics(part, s);
        for (const RowMean& m : phase.means) check_mean(part, m);
        for (const RowOperation& m : phase.row_operations) check_row_operation(part, m);
        for (const Product& product : phase.products) {
            check_product(part, product);
            require_equal("products", "the phase's width:", phase.width,
                          p_.buffer(product.target).width);
            check_target(part, phase, product);
        }
        if (phase.body < 0)
            require_equal("phases", "slots without a body:", 0, i64(phase.buffers.size()));
        else check_body(part, phase);
    }

    // A phase with a body multiplies into tiles, which the body reads; one without into buffers.
    void check_target(Part part, const Phase& phase, const Product& product) const {
        const Buffer& target = p_.buffer(product.target);
        if (phase.body < 0) {
            require_role("a product's target", product.target,
                         {Role::scratch,
                          part == Part::backward ? Role::previous_state_gradient : Role::scratch});
            check_written(part, product.target);
            return;
        }
        require_role("a product's target", product.target, {Role::tile});
        require_equal("tiles", "a first item", 0, product.item);
        require_equal("tiles", "accumulation", 0, product.accumulate);
        require_equal("tiles", "items", p_.matrices[size_t(product.matrix)].results(),
                      target.items);
        i64 sources = 0;
        for (const Product& other : phase.products) sources += other.target == product.target;
        require_equal("tiles", "products of one tile:", 1, sources);
    }

    void check_statistics(Part part, const NormStatistics& s) const {
        if (part == Part::backward) fail("statistics", "none in backward phases", 1);
        require_equal("statistics", "items of buffers:", i64(s.buffers.size()),
                      i64(s.items.size()));
        i64 units = 0;
        for (size_t k = 0; k < s.buffers.size(); ++k) {
            check_access(part, {AccessKind::load, 0, s.items[k], false}, s.buffers[k], -1);
            if (p_.buffer(s.buffers[k]).role == Role::tile)
                fail("statistics", "no tile", s.buffers[k]);
            units += p_.buffer(s.buffers[k]).width;
        }
        require_equal("statistics", "units", units, s.units);
        require_role("statistics", s.target,
                     {part == Part::hoisted ? Role::hoisted_statistics : Role::statistics});
        require_at_most("statistics", "items", p_.buffer(s.target).items, s.item + 2);
    }
    void check_mean(Part part, const RowMean& m) const {
        if (part != Part::backward) fail("means", "none in forward phases", 1);
        require_role("a mean's source", m.source, {Role::row_sums});
        require_role("a mean's target", m.target, {Role::row_means});
        require_at_most("means", "items", p_.buffer(m.source).items, m.item + 1);
        require_at_most("means", "items", p_.buffer(m.target).items, m.target_item + 1);
    }
    void check_row_operation(Part part, const RowOperation& m) const {
        const char* where = "row operations";
        const Buffer &source = p_.buffer(m.source), &target = p_.buffer(m.target);
        if (part == Part::hoisted) fail(where, "none in hoisted phases", 1);
        check_access(part, {AccessKind::load, 0, m.item, false}, m.source, -1);
        if (source.role == Role::tile) fail(where, "no tile", m.source);
        if (!m.has_inner()) require_equal(where, "units of a part:", 1, m.inner);
        // Each of them is at most max_width, and so are the rows of buffers.
        require_at_most(where, "groups of parts", max_width / m.inner / m.times, m.groups);
        require_equal(where, "units", source.width, m.units());
        require_equal(where, "results", target.holds_scalars() ? 1 : target.width, m.results());
        require_role(where, m.target,
                     {Role::mapped_rows,
                      part == Part::forward ? Role::statistics : Role::row_means});
        require_at_most(where, "items", target.items, m.target_item + 1);
        if (!target.holds_scalars()) require_equal(where, "items of a target:", 1, target.items);
    }

    void check_body(Part part, const Phase& phase) const {
        for (i64 k : phase.buffers) {
            check_bound(part, k);
            if (p_.buffer(k).role != Role::tile) continue;
            i64 sources = 0;
            for (const Product& product : phase.products) sources += product.target == k;
            require_equal("tiles", "products of one tile:", 1, sources);
        }
        for (const Access& access : p_.bodies[size_t(phase.body)].accesses) {
            require_at_most("bodies", "a slot", i64(phase.buffers.size()) - 1, access.slot);
            check_access(part, access, phase.buffers[size_t(access.slot)], phase.width);
        }
    }

    // `width`: that of the phase, which vectors of the buffer must have; -1 for any.
    void check_access(Part part, const Access& access, i64 k, i64 width) const {
        const Buffer& b = p_.buffer(k);
        check_bound(part, k);
        require_at_most("bodies", "items", b.items, access.item + 1);
        switch (access.kind) {
        case AccessKind::scalar:
            if (!b.holds_scalars()) fail("bodies", "a buffer of scalars", i64(b.role));
            return;
        case AccessKind::add_row: return require_role("a sum over units", k, {Role::row_sums});
        case AccessKind::add_block:
            require_role("a sum over rows", k, {Role::row_gradients});
            break;
        case AccessKind::parameter: require_role("a parameter", k, {Role::parameters}); break;
        case AccessKind::load: check_read(part, k); break;
        case AccessKind::broadcast:
            if (b.role != Role::parameters) check_read(part, k);
            return require_equal("bodies", "a broadcast buffer's width", 1, b.width);
        case AccessKind::store:
            if (part == Part::forward && b.role == Role::tape && access.optional) break;
            check_written(part, k);
        }
        if (width >= 0) require_equal("bodies", "a buffer's width", width, b.width);
    }

    // Whether a part of the program has memory for a buffer; a tape is optional in a forward pass.
    void check_bound(Part part, i64 k) const {
        check_scratch(part, p_.buffer(k));
        switch (part) {
        case Part::hoisted:
            return require_role("a hoisted phase's buffer", k,
                                {Role::scratch, Role::input, Role::mask, Role::parameters,
                                 Role::hoisted_statistics, Role::tile});
        case Part::forward:
            return require_role(
                "a forward phase's buffer", k,
                {Role::scratch, Role::input, Role::previous, Role::next, Role::tape, Role::mask,
                 Role::parameters, Role::statistics, Role::hoisted_statistics, Role::tile,
                 Role::mapped_rows});
        case Part::backward: {
            require_role("a backward phase's buffer", k,
                         {Role::scratch,
                          Role::input,
                          Role::previous,
                          Role::next,
                          Role::tape,
                          Role::mask,
                          Role::parameters,
                          Role::statistics,
                          Role::hoisted_statistics,
                          Role::state_gradient,
                          Role::previous_state_gradient,
                          Role::output_gradient,
                          Role::deltas,
                          Role::weight_operand,
                          Role::row_gradients,
                          Role::row_sums,
                          Role::row_means,
                          Role::input_gradient,
                          Role::tile,
                          Role::mapped_rows,
                          Role::recorded});
        }
        }
    }
    void check_read(Part part, i64 k) const {
        const Buffer& b = p_.buffer(k);
        if (b.holds_scalars() ||
            is_one_of(b.role, {Role::row_sums, Role::row_gradients, Role::parameters}))
            fail("bodies", "a buffer with rows of vectors", i64(b.role));
        if (part == Part::forward && b.role == Role::tape)
            fail("bodies", "no load from the tape in a forward phase", k);
    }
    void check_written(Part part, i64 k) const {
        check_bound(part, k);
        switch (part) {
        case Part::hoisted: return require_role("a hoisted result", k, {Role::scratch});
        case Part::forward: return require_role("a forward result", k, {Role::scratch, Role::next});
        case Part::backward:
            return require_role(
                "a backward result", k,
                {Role::scratch, Role::deltas, Role::weight_operand, Role::previous_state_gradient,
                 Role::input_gradient, Role::recorded});
        }
    }

    // Gradients and per-unit parameters -----------------------------------------------------------

    void check_weight_gradient(const WeightGradient& w) const {
        const char* where = "weight gradients";
        const Buffer &deltas = p_.buffer(w.deltas), &operand = p_.buffer(w.operand);
        check_rows(where, w.parameter, w.columns, w.starts, w.width);
        if (w.width % w.heads != 0) fail(where, "heads that divide the width", w.heads);
        require_role(where, w.deltas, {Role::deltas});
        require_equal(where, "the deltas' items", i64(w.starts.size()), deltas.items);
        require_equal(where, "the deltas' width", w.width, deltas.width);
        require_role(where, w.operand, {Role::previous, Role::input, Role::weight_operand});
        require_equal(where, "the operand's items", 1, operand.items);
        require_equal(where, "the operand's width", w.heads * w.columns, operand.width);
    }
    void check_row_gradient(const RowGradient& g) const {
        const char* where = "row gradients";
        require_role(where, g.buffer, {Role::row_gradients});
        require_at_most(where, "items", p_.buffer(g.buffer).items, g.item + 1);
        require_at_most(where, "a width", p_.buffer(g.buffer).width, g.width);
        require_at_most(where, "a last row", parameter_size(g.parameter), g.start + g.width);
    }
    void check_unit_parameter(const UnitParameter& u) const {
        const char* where = "unit parameters";
        const Buffer& b = p_.buffer(u.buffer);
        require_role(where, u.buffer, {Role::parameters});
        require_at_most(where, "items", b.items, u.item + 1);
        if (u.parameter >= 0)
            require_at_most(where, "a last row", parameter_size(u.parameter), u.start + b.width);
    }
};

}  // namespace sluice::SLUICE_ISA
