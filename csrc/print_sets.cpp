// Prints the instruction sets of this processor, for CMake: one list.
#include <iostream>

#define SLUICE_ISA generic
#include "processor.h"

int main() {
    for (const std::string& name : sluice::generic::list_instruction_sets()) std::cout << name << ';';
}
