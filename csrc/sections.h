// Lists of integers from Python: a header, then sections with a tag and a length each.
//
// list    = kind, version, section...
// section = tag, number of words, words
//
// Sections come in a fixed order. Everything is checked while it is read, so that a list which does
// not fit raises std::invalid_argument (a ValueError in Python) and is never acted upon.
#pragma once

#include <limits>
#include <stdexcept>
#include <string>
#include <vector>

#include "vector.h"

namespace sluice::SLUICE_ISA {

constexpr i64 format_version = 3;

// Far above what any memory holds, and low enough that sizes in bytes cannot overflow.
constexpr i64 max_width = (i64(1) << 31) - 1, max_items = i64(1) << 20, max_index = i64(1) << 20;
constexpr i64 max_size = i64(1) << 48;

enum class ListKind : i64 {
    program = 0x510001,
    forward_call,
    backward_call,
    vocabulary,
    sampling,
    attention_forward,
    attention_backward
};

[[noreturn]] inline void reject(const std::string& where, const std::string& expected,
                                const std::string& found) {
    throw std::invalid_argument(where + ": expected " + expected + ", got " + found +
                                "; reinstall sluice, so that its Python and its compiled part "
                                "are of one version");
}
[[noreturn]] inline void reject(const std::string& where, const std::string& expected, i64 found) {
    reject(where, expected, std::to_string(found));
}

// The words of one section, read from first to last.
class Section {
public:
    Section(const char* list, const char* name, const i64* begin, const i64* end)
        : list_(list), name_(name), at_(begin), end_(end) {}

    i64 remaining() const { return end_ - at_; }
    i64 read(const char* what, i64 low = std::numeric_limits<i64>::min(),
             i64 high = std::numeric_limits<i64>::max()) {
        if (at_ == end_) reject(place(), what, "the end of the section");
        if (*at_ < low || *at_ > high) reject_value(what, low, high, *at_);
        return *at_++;
    }
    bool read_flag(const char* what) { return read(what, 0, 1) != 0; }
    // The number of records that follow, each of at least `words` words.
    i64 read_count(const char* what, i64 words = 1) { return read(what, 0, remaining() / words); }
    std::vector<i64> read_list(const char* what, i64 low, i64 high) {
        std::vector<i64> values(static_cast<size_t>(read_count(what)));
        for (i64& value : values) value = read(what, low, high);
        return values;
    }
    double read_double(const char* what) { return __builtin_bit_cast(double, read(what)); }

    // An array that Python owns: its address and its size in bytes. Null where it is optional.
    template <class T> T* read_array(const char* what, i64 count, bool optional = false) {
        const i64 address = read(what), bytes = read(what);
        if (optional && address == 0 && bytes == 0) return nullptr;
        i64 expected;
        if (__builtin_mul_overflow(count, i64(sizeof(T)), &expected) || bytes != expected)
            reject(place(),
                   std::string(what) + " of " + std::to_string(count) + " numbers of " +
                       std::to_string(sizeof(T)) + " bytes",
                   std::to_string(bytes) + " bytes");
        if (address == 0 || address % i64(alignof(T)) != 0)
            reject(place(), std::string("an aligned address of ") + what, address);
        return reinterpret_cast<T*>(address);
    }

    void finish() const {
        if (at_ != end_) reject(place(), "the end of the section", remaining());
    }
    std::string place() const { return std::string(list_) + ", section '" + name_ + "'"; }

private:
    const char *list_, *name_;
    const i64 *at_, *end_;

    [[noreturn]] void reject_value(const char* what, i64 low, i64 high, i64 found) const {
        const bool open = high == std::numeric_limits<i64>::max();
        reject(place(),
               std::string(what) + " from " + std::to_string(low) +
                   (open ? " upwards" : " to " + std::to_string(high)),
               found);
    }
};

// A whole list. `name` says in error messages what it is.
class SectionReader {
public:
    SectionReader(const std::vector<i64>& words, ListKind kind, const char* name)
        : name_(name), at_(words.data()), end_(words.data() + words.size()) {
        if (words.size() < 2) reject(name_, "a kind and a version", i64(words.size()));
        if (words[0] != i64(kind)) reject(name_, "kind " + std::to_string(i64(kind)), words[0]);
        if (words[1] != format_version)
            reject(name_, "format version " + std::to_string(format_version), words[1]);
        at_ += 2;
    }

    // The next section, which must have this tag, read by `read(section)` to its end.
    template <class F> auto read(i64 tag, const char* section, F read) {
        Section words = open(tag, section);
        if constexpr (std::is_void_v<decltype(read(words))>) {
            read(words);
            words.finish();
        } else {
            auto found = read(words);
            words.finish();
            return found;
        }
    }
    bool has_more() const { return at_ != end_; }
    void finish() const {
        if (at_ != end_) reject(name_, "the end of the list", end_ - at_);
    }

private:
    const char* name_;
    const i64 *at_, *end_;

    Section open(i64 tag, const char* section) {
        if (end_ - at_ < 2)
            reject(name_, std::string("section '") + section + "'", "the end of the list");
        if (at_[0] != tag)
            reject(name_, std::string("section '") + section + "' with tag " + std::to_string(tag),
                   at_[0]);
        const i64 length = at_[1];
        at_ += 2;
        if (length < 0 || length > end_ - at_)
            reject(name_,
                   std::string("section '") + section + "' of at most " +
                       std::to_string(end_ - at_) + " words",
                   length);
        const i64* begin = at_;
        at_ += length;
        return Section(name_, section, begin, at_);
    }
};

}  // namespace sluice::SLUICE_ISA
