/* ---- 2. The vector targets of x86-64 ------------------------------------------------------- */

/* The vector targets look up 16 to 64 nibbles with one shuffle, add the four entries of two code
 * bytes as bytes, and those sums as 16-bit numbers. x86 has no widening addition, so a vector of
 * bytes is added twice: as it is (even bytes plus 256 x odd bytes, modulo 2^16) and shifted right
 * by 8 (odd bytes alone). At the end even = whole - 256 x odd, exact modulo 2^16 and so exact. */

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>

#include "scan_ssse3.h"
#include "scan_avx2.h"
#include "scan_avx512.h"
#endif /* x86-64 */
