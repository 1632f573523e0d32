/* scheduler/place-scan.c: the keys of all nodes for one request, eight nodes at a time.
 *
 * A key is one number, less is better, KEY_NONE where the request does not fit; see
 * scheduler/place-internal.h. All arithmetic is in whole numbers of 32 bits, so each version gives the same
 * on every machine. */
#include "scheduler/place-internal.h"

/* Vectors of eight, wherever they lie. Wider ones than the processor's would be taken apart into single
 * numbers. */
typedef int32_t vec __attribute__((vector_size(32), aligned(4)));
typedef uint32_t uvec __attribute__((vector_size(32), aligned(4)));
typedef uint8_t bytes __attribute__((vector_size(8), aligned(1)));
enum { LANES = 8 };

/* Best fit: what would be left, as a share of what the node has; processors and memory weigh the same. Who
 * asks for nothing tells us nothing about what it will use: there the node with the fewest Pods is best. */
int32_t place_key(const struct columns *c, uint8_t admit, const struct ask *ask, size_t i)
{
	int32_t cpu = c->cpu[i] - ask->cpu, pages = c->pages[i] - ask->pages;
	int32_t fit = MIN(c->used_pods[i], KEY_FIT_MAX);

	if ((cpu | pages | (c->pods[i] - 1)) < 0 || admit == ADMIT_NO)
		return KEY_NONE;
	if (ask->cpu | ask->pages)
		fit = ((cpu * c->cpu_weight[i]) >> 13) + (((pages >> 8) * c->page_weight[i]) >> 13);
	return (admit << KEY_ADMIT_SHIFT) | fit;
}

/* The same for eight nodes from the i-th on. A number that says yes has all bits set. */
static inline __attribute__((always_inline)) void keys_of(const struct columns *c, const uint8_t *admit_at,
							  const struct ask *ask, size_t i, vec *ret)
{
#define AT(column) (*(const vec *)&(column)[i])
	vec cpu = AT(c->cpu) - ask->cpu, pages = AT(c->pages) - ask->pages;
	vec admit = __builtin_convertvector(*(const bytes *)&admit_at[i], vec);
	vec refused = ((cpu | pages | (AT(c->pods) - 1)) < 0) | (admit == ADMIT_NO);
	vec fit;

	if (ask->cpu | ask->pages) {
		/* Where it does not fit, anything may come out: hence without signs. */
		fit = (vec)((uvec)cpu * (uvec)AT(c->cpu_weight)) >> 13;
		fit += (vec)((uvec)(pages >> 8) * (uvec)AT(c->page_weight)) >> 13;
	} else {
		vec few = AT(c->used_pods) < KEY_FIT_MAX;
		fit = (AT(c->used_pods) & few) | (KEY_FIT_MAX & ~few);
	}
	*ret = (((admit << KEY_ADMIT_SHIFT) | fit) & ~refused) | (KEY_NONE & refused);
#undef AT
}

static inline __attribute__((always_inline)) void scan(const struct columns *c, const uint8_t *admit,
						       const struct ask *ask_at, int32_t *row,
						       int32_t *block_min, size_t count)
{
	const struct ask ask = *ask_at;

	for (size_t b = 0; b < count; b += BLOCK_NODES) {
		vec least = KEY_NONE - (vec){ 0 };
		for (size_t i = b; i < b + BLOCK_NODES; i += LANES) {
			vec keys;
			keys_of(c, admit, &ask, i, &keys);
			*(vec *)&row[i] = keys;
			vec less = keys < least;
			least = (keys & less) | (least & ~less);
		}
		int32_t one = least[0];
		for (size_t lane = 1; lane < LANES; lane++)
			one = MIN(one, least[lane]);
		block_min[b / BLOCK_NODES] = one;
	}
}

#define VERSION(name, attributes)                                                                         \
	attributes static void name(const struct columns *c, const uint8_t *admit, const struct ask *ask, \
				    int32_t *row, int32_t *block_min, size_t count)                       \
	{                                                                                                 \
		scan(c, admit, ask, row, block_min, count);                                               \
	}

VERSION(scan_baseline, )
static bool always(void)
{
	return true;
}

#ifdef __x86_64__
VERSION(scan_avx2, __attribute__((target("avx2"))))
VERSION(scan_avx512, __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq"))))
static bool has_avx2(void)
{
	return __builtin_cpu_supports("avx2");
}
static bool has_avx512(void)
{
	return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
	       __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
}
#endif

const struct scan_version place_scan_versions[] = {
#ifdef __x86_64__
	{ "avx512", scan_avx512, has_avx512 },
	{ "avx2", scan_avx2, has_avx2 },
#endif
	{ "baseline", scan_baseline, always },
	{ 0 },
};
