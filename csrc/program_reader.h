// Reads a program from the words that Python writes (Words in the Python package).
#pragma once

#include "program_check.h"
#include "sections.h"

namespace sluice::SLUICE_ISA {

class ProgramReader {
public:
    ProgramReader(const std::vector<i64>& words, Program& program)
        : in_(words, ListKind::program, "the program"), program_(program) {}

    void read();

private:
    SectionReader in_;
    Program& program_;

    std::vector<i64> read_numbers(i64 tag, const char* name, i64 low, i64 high) {
        return in_.read(tag, name, [&](Section& s) { return s.read_list("a size", low, high); });
    }
    template <class F> static auto read_all(Section& s, const char* what, i64 words, F read) {
        std::vector<decltype(read(s))> found;
        for (i64 left = s.read_count(what, words); left > 0; --left) found.push_back(read(s));
        return found;
    }
    template <class F> auto read_records(i64 tag, const char* name, i64 words, F read) {
        return in_.read(tag, name, [&](Section& s) { return read_all(s, "a count", words, read); });
    }
    std::vector<Phase> read_phases(i64 tag, const char* name) {
        return read_records(tag, name, 7, [&](Section& s) { return read_phase(s); });
    }

    static i64 last(size_t count) { return i64(count) - 1; }
    i64 read_buffer_index(Section& s) const {
        return s.read("a buffer's index", 0, last(program_.buffers.size()));
    }
    i64 read_parameter_index(Section& s, i64 low = 0) const {
        return s.read("a parameter's index", low, last(program_.parameter_sizes.size()));
    }
    static i64 read_item(Section& s) { return s.read("an item", 0, max_items - 1); }
    static i64 read_start(Section& s) { return s.read("a first row", 0, max_size); }
    static i64 read_width(Section& s) { return s.read("a width", 1, max_width); }

    Buffer read_buffer(Section& s) const {
        Buffer b{};
        b.scope = Scope(s.read("a scope", 0, i64(Scope::constant)));
        b.role = Role(s.read("a role", 0, i64(role_count) - 1));
        b.index = s.read("an index", 0, max_index);
        b.width = s.read("a width", 0, max_width);
        b.items = s.read("a number of items", 1, max_items);
        const i64 lanes = program_.lanes;
        const bool scalars = b.holds_scalars(), sums = b.role == Role::row_sums;
        b.blocks = sums ? 1 : (b.width + lanes - 1) / lanes;
        b.block = scalars || sums ? 0 : b.items * lanes;
        b.row = scalars ? b.items : b.blocks * b.items * lanes;
        return b;
    }
    Matrix read_matrix(Section& s) const {
        Matrix m{};
        m.transposed = s.read_flag("a flag of transposition");
        m.weight = read_parameter_index(s);
        m.bias = read_parameter_index(s, -1);
        m.width = read_width(s);
        m.inner = read_width(s);
        m.heads = s.read("a number of heads", 1, max_width);
        m.columns = read_width(s);
        m.starts = s.read_list("a gate's first row", 0, max_size);
        m.bias_starts = s.read_list("a gate's first bias", -1, max_size);
        return m;
    }
    Product read_product(Section& s) const {
        Product p{};
        p.matrix = s.read("a matrix's index", 0, last(program_.matrices.size()));
        p.operand = read_buffer_index(s);
        p.target = read_buffer_index(s);
        p.item = read_item(s);
        p.accumulate = s.read_flag("a flag of accumulation");
        return p;
    }
    NormStatistics read_statistics(Section& s) const {
        NormStatistics n{};
        n.buffers = s.read_list("a buffer's index", 0, last(program_.buffers.size()));
        n.items = s.read_list("an item", 0, max_items - 1);
        n.target = read_buffer_index(s);
        n.item = read_item(s);
        n.units = s.read("a number of units", 1, max_size);
        n.epsilon = s.read_double("an epsilon");
        return n;
    }
    RowMean read_mean(Section& s) const {
        RowMean m{};
        m.source = read_buffer_index(s);
        m.item = read_item(s);
        m.target = read_buffer_index(s);
        m.target_item = read_item(s);
        m.units = s.read("a number of units", 1, max_size);
        return m;
    }
    RowOperation read_row_operation(Section& s) const {
        RowOperation m{};
        m.kind = RowOperationKind(
            s.read("a row operation", 0, i64(RowOperationKind::reverse_cumulative_sum)));
        m.source = read_buffer_index(s);
        m.item = read_item(s);
        m.target = read_buffer_index(s);
        m.target_item = read_item(s);
        m.groups = read_width(s);
        m.times = read_width(s);
        m.inner = read_width(s);
        return m;
    }
    Phase read_phase(Section& s) const {
        Phase p{};
        p.width = read_width(s);
        p.statistics = read_all(s, "a count", 6, [&](Section& in) { return read_statistics(in); });
        p.means = read_all(s, "a count", 5, [&](Section& in) { return read_mean(in); });
        p.row_operations =
            read_all(s, "a count", 8, [&](Section& in) { return read_row_operation(in); });
        p.products = read_all(s, "a count", 5, [&](Section& in) { return read_product(in); });
        p.body = s.read("a body's index", -1, last(program_.bodies.size()));
        p.buffers = s.read_list("a buffer's index", 0, last(program_.buffers.size()));
        return p;
    }
    WeightGradient read_weight_gradient(Section& s) const {
        WeightGradient w{};
        w.parameter = read_parameter_index(s);
        w.columns = read_width(s);
        w.heads = s.read("a number of heads", 1, max_width);
        w.width = read_width(s);
        w.starts = s.read_list("a gate's first row", 0, max_size);
        w.deltas = read_buffer_index(s);
        w.operand = read_buffer_index(s);
        return w;
    }
    RowGradient read_row_gradient(Section& s) const {
        RowGradient g{};
        g.parameter = read_parameter_index(s);
        g.start = read_start(s);
        g.width = read_width(s);
        g.buffer = read_buffer_index(s);
        g.item = read_item(s);
        return g;
    }
    UnitParameter read_unit_parameter(Section& s) const {
        UnitParameter u{};
        u.parameter = read_parameter_index(s, -1);
        u.start = read_start(s);
        u.buffer = read_buffer_index(s);
        u.item = read_item(s);
        return u;
    }
};

inline void ProgramReader::read() {
    Program& p = program_;
    in_.read(1, "sizes",
             [&](Section& s) { p.input_width = s.read("the input's width", 1, max_width); });
    p.parameter_sizes = read_numbers(2, "parameters", 1, max_size);
    in_.read(3, "states", [&](Section& s) {
        p.state_widths = s.read_list("a size", 1, max_width);
        p.carried = s.read("a number of states", 1, i64(p.state_widths.size()));
        p.outputs = s.read_list("a state that is given out", 0, last(p.state_widths.size()));
        if (p.outputs.empty() || p.outputs.size() > p.state_widths.size())
            reject("the program, states", "one or more that are given out", i64(p.outputs.size()));
    });
    p.mask_widths = read_numbers(4, "masks", 1, max_width);
    p.buffers = read_records(5, "buffers", 5, [&](Section& s) { return read_buffer(s); });
    p.matrices = read_records(6, "matrices", 9, [&](Section& s) { return read_matrix(s); });
    p.hoisted = read_phases(7, "hoisted phases");
    p.forward = read_phases(8, "forward phases");
    p.backward = read_phases(9, "backward phases");
    p.deferred =
        read_records(10, "deferred products", 5, [&](Section& s) { return read_product(s); });
    p.weight_gradients = read_records(11, "weight gradients", 7,
                                      [&](Section& s) { return read_weight_gradient(s); });
    p.row_gradients =
        read_records(12, "row gradients", 5, [&](Section& s) { return read_row_gradient(s); });
    p.unit_parameters =
        read_records(13, "unit parameters", 4, [&](Section& s) { return read_unit_parameter(s); });
    in_.finish();
}

inline std::vector<Body> read_bodies(const Program::BodyWords& words) {
    std::vector<Body> bodies;
    for (const auto& [address, accesses] : words) {
        Body body{reinterpret_cast<BodyFunction>(address), {}};
        if (address == 0) reject("the bodies", "the address of a function", address);
        if (accesses.size() % 4 != 0)
            reject("the bodies", "four words for each access", i64(accesses.size()));
        const i64* end = accesses.data() + accesses.size();
        Section s("the bodies", "accesses", accesses.data(), end);
        while (s.remaining() > 0) {
            const auto kind = AccessKind(s.read("a kind", 0, i64(AccessKind::broadcast)));
            const i64 slot = s.read("a slot", 0, max_index),
                      item = s.read("an item", 0, max_items - 1);
            body.accesses.push_back({kind, slot, item, s.read_flag("a flag")});
        }
        bodies.push_back(std::move(body));
    }
    return bodies;
}

inline Program::Program(const std::vector<i64>& words, const BodyWords& body_words, i64 lane_count)
    : lanes(lane_count), bodies(read_bodies(body_words)) {
    if (lanes != 8 && lanes != 16) reject("the program", "8 or 16 lanes", lanes);
    ProgramReader(words, *this).read();
    ProgramChecker(*this).check();
    index();
}

}  // namespace sluice::SLUICE_ISA
