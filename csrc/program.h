// What Python says of a cell: places, products, phases. Parsed once; never changed afterwards.
#pragma once

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <vector>

#include "policy.h"

namespace sluice::SLUICE_ISA {

enum class Scope : i64 { time, chunk, step, constant };

enum class Role : i64 {
    scratch, input, previous, next, tape, mask, parameters, statistics, hoisted_statistics,
    flow, flow_out, upstream, deltas, learned_operand, row_gradients, row_sums, row_means,
    input_gradient, tile, recorded
};

// An array of rows; a row is `blocks` × `items` × lanes numbers, or `items` scalars.
struct Place {
    Scope scope;
    Role role;
    i64 index, width, items;
    i64 blocks = 0, row = 0, block = 0;  // filled for the number's size

    // Whether it keeps, for a chunk of steps, what depends on the input alone.
    bool hoisted() const {
        return (scope == Scope::chunk && role == Role::scratch) || role == Role::hoisted_statistics;
    }
};

// Weights as a product needs them: which rows of which parameter, and how they are laid out.
struct Matrix {
    bool transposed;
    i64 weight, bias;         // numbers of parameters; -1: none
    i64 width, inner, heads;  // units of the result, of the operand (of a gate when transposed)
    i64 columns;              // of the weight as it is stored
    std::vector<i64> starts;  // the first row of each gate
    i64 gates() const { return i64(starts.size()); }
};

struct Product {
    i64 matrix, operand, target, item;
    bool accumulate;
};

struct Statistics {
    std::vector<i64> places, items;
    i64 target, item, units;
    double epsilon;
};

struct RowMean {
    i64 source, item, target, target_item, units;
};

using BodyFunction = void (*)(i64 rows, i64 blocks, const void* slots);

struct Phase {
    i64 width;
    std::vector<Statistics> statistics;
    std::vector<RowMean> means;
    std::vector<Product> products;
    BodyFunction body;  // null: products alone
    std::vector<i64> places;
};

struct WeightGradient {
    i64 parameter, columns, heads, width;
    std::vector<i64> starts;
    i64 deltas, operand;
};

// A row of sums that goes to a parameter's gradient.
struct RowGradient {
    i64 parameter, start, width, place, item;
};

// A per-unit parameter's way into a place; parameter -1 is one where a unit is, 0 in the padding.
struct UnitParameter {
    i64 parameter, start, place, item;
};

class Reader {
public:
    explicit Reader(const std::vector<i64>& words) : words_(words) {}
    i64 next() {
        if (at_ >= words_.size()) throw std::invalid_argument("the program ends too early");
        return words_[at_++];
    }
    std::vector<i64> list() {
        const size_t count = size_t(next());
        std::vector<i64> found(count);
        for (i64& word : found) word = next();
        return found;
    }
    template <class F> auto many(F read) {
        std::vector<decltype(read())> found;
        for (i64 left = next(); left > 0; --left) found.push_back(read());
        return found;
    }
    double real() {
        const i64 word = next();
        double value;
        static_assert(sizeof value == sizeof word);
        __builtin_memcpy(&value, &word, sizeof value);
        return value;
    }

private:
    const std::vector<i64>& words_;
    size_t at_ = 0;
};

struct Program {
    std::vector<Place> places;
    std::vector<Matrix> matrices;
    std::vector<Phase> hoisted, forward, backward;
    std::vector<Product> deferred;
    std::vector<WeightGradient> weights;
    std::vector<RowGradient> rows;
    std::vector<UnitParameter> units;
    std::vector<i64> state_widths, mask_widths;
    i64 input_width = 0, parameters = 0;
    bool input_rest = false, has_norms = false;
    bool input_in_bodies = false;  // of a step forward

    Program(const std::vector<i64>& words, i64 lanes) {
        Reader in(words);
        input_width = in.next();
        parameters = in.next();
        input_rest = in.next() != 0;
        state_widths = in.list();
        mask_widths = in.list();
        places = in.many([&] { return read_place(in, lanes); });
        index_places();
        matrices = in.many([&] { return read_matrix(in); });
        hoisted = in.many([&] { return read_phase(in); });
        forward = in.many([&] { return read_phase(in); });
        backward = in.many([&] { return read_phase(in); });
        deferred = in.many([&] { return read_product(in); });
        weights = in.many([&] { return read_weight(in); });
        rows = in.many([&] {
            const i64 p = in.next(), s = in.next(), w = in.next(), at = in.next();
            return RowGradient{p, s, w, at, in.next()};
        });
        units = in.many([&] {
            const i64 p = in.next(), s = in.next(), at = in.next();
            return UnitParameter{p, s, at, in.next()};
        });
        for (const auto* list : {&hoisted, &forward, &backward})
            for (const Phase& phase : *list)
                has_norms |= !phase.statistics.empty() || !phase.means.empty();
        for (const Phase& phase : forward)
            for (i64 k : phase.places) input_in_bodies |= k == find(Role::input);
    }

    // The place of a role and index, or -1.
    i64 find(Role role, i64 index = 0) const {
        const auto& all = found_[size_t(role)];
        return size_t(index) < all.size() ? all[size_t(index)] : -1;
    }

private:
    std::vector<i64> found_[size_t(Role::recorded) + 1];

    void index_places() {
        for (size_t k = places.size(); k-- > 0;) {
            auto& all = found_[size_t(places[k].role)];
            const size_t index = size_t(places[k].index);
            if (all.size() <= index) all.resize(index + 1, -1);
            all[index] = i64(k);
        }
    }
    static Place read_place(Reader& in, i64 lanes) {
        Place p{Scope(in.next()), Role(in.next()), 0, 0, 0};
        p.index = in.next();
        p.width = in.next();
        p.items = in.next();
        const bool scalars = p.role == Role::statistics || p.role == Role::hoisted_statistics ||
                             p.role == Role::row_means;
        p.blocks = p.role == Role::row_sums ? 1 : (p.width + lanes - 1) / lanes;
        p.block = scalars || p.role == Role::row_sums ? 0 : p.items * lanes;
        p.row = scalars ? p.items : p.blocks * p.items * lanes;
        return p;
    }
    static Matrix read_matrix(Reader& in) {
        Matrix m{in.next() != 0, 0, 0, 0, 0, 0, 0, {}};
        m.weight = in.next();
        m.bias = in.next();
        m.width = in.next();
        m.inner = in.next();
        m.heads = in.next();
        m.columns = in.next();
        m.starts = in.list();
        return m;
    }
    static Product read_product(Reader& in) {
        const i64 matrix = in.next(), operand = in.next(), target = in.next(), item = in.next();
        return Product{matrix, operand, target, item, in.next() != 0};
    }
    static Statistics read_statistics(Reader& in) {
        Statistics s;
        s.places = in.list();
        s.items = in.list();
        s.target = in.next();
        s.item = in.next();
        s.units = in.next();
        s.epsilon = in.real();
        return s;
    }
    static Phase read_phase(Reader& in) {
        Phase p;
        p.width = in.next();
        p.statistics = in.many([&] { return read_statistics(in); });
        p.means = in.many([&] {
            const i64 a = in.next(), b = in.next(), c = in.next(), d = in.next();
            return RowMean{a, b, c, d, in.next()};
        });
        p.products = in.many([&] { return read_product(in); });
        p.body = reinterpret_cast<BodyFunction>(in.next());
        p.places = in.list();
        return p;
    }
    static WeightGradient read_weight(Reader& in) {
        WeightGradient w;
        w.parameter = in.next();
        w.columns = in.next();
        w.heads = in.next();
        w.width = in.next();
        w.starts = in.list();
        w.deltas = in.next();
        w.operand = in.next();
        return w;
    }
};

}  // namespace sluice::SLUICE_ISA
