/* scheduler/place-internal.h: what the files of placement share.
 *
 * Names, from the outside in: a site is a node as placement sees it; a guest is a Pod that is counted in at a
 * site; kin are Pods of one template (the same labels, owner and requests); a filter is what admits Pods to
 * nodes before anything is counted (selector, taints, protection); a class is a kin with its filter and its
 * spread: equal Pods, compiled once.
 *
 * What changes is written to a journal. A class that is used again replays what it has missed, so that many
 * equal Pods cost as much as what changed between them, and not a pass over all nodes each. */
#pragma once
#include "scheduler/place.h"

#include "base/str.h"

/* ---- place-table.c: hashed sets of objects that begin with their key ---- */

struct keyed {
	uint64_t hash;
	size_t len;
	const char *bytes;
};
struct table {
	struct keyed **slots;
	size_t count, size; /* size: a power of two */
};
struct keyed keyed_of(const void *bytes, size_t len);
void *table_find(const struct table *t, const struct keyed *key);
void *table_find_text(const struct table *t, const char *text);
err *table_add(struct table *t, struct keyed *object) MUST_CHECK;
void table_remove(struct table *t, struct keyed *object);
/* Every object, in no order: *cursor begins at 0; NULL at the end. The table may not change meanwhile. */
void *table_next(const struct table *t, size_t *cursor);
void table_done(struct table *t);

/* ---- place-pack.c: deep copies in one block of memory, and keys of the same content ---- */

/* Filled twice: without memory to learn the size, then with it. */
struct pack {
	char *memory;
	size_t used;
};
void *pack_room(struct pack *p, size_t size);
const char *pack_text(struct pack *p, const char *text); /* NULL stays NULL */
void pack_map(struct pack *p, const struct string_map *from, struct string_map *to);
void pack_selector(struct pack *p, const struct label_selector *from, struct label_selector *to);
struct requirements {
	struct selector_requirement *items;
	size_t count;
};
void pack_requirements(struct pack *p, const struct requirements *from, struct requirements *to);

/* The same content gives the same bytes, another content others. */
void key_bytes(struct str *key, const void *bytes, size_t len);
void key_text(struct str *key, const char *text);
void key_number(struct str *key, int64_t number);
void key_map(struct str *key, const struct string_map *map);
void key_requirements(struct str *key, const struct requirements *r);
void key_selector(struct str *key, const struct label_selector *s); /* may be NULL */
/* A copy of the bytes, which stays with an object of a table. */
err *key_take(const struct str *key, struct keyed *ret) MUST_CHECK;

/* ---- nodes ---- */

/* Memory is counted in pages, as the kernel does: a request is rounded up, what a node has is rounded down.
 */
enum { PAGE_SHIFT = 12, PODS_DEFAULT = 110 };

/* What a node says of itself. Never changes; shared by copies. */
struct attrs {
	unsigned refs;
	struct string_map labels;
	struct {
		struct taint *items;
		size_t count;
	} taints;
	const char *trouble; /* why it is not ready; NULL: it is */
	bool unschedulable;
	int level;		   /* protection class, 0 to 2 */
	int64_t cpu, memory, pods; /* milli, bytes */
};

struct port {
	uint16_t number;
	uint8_t protocol;
};
struct ports {
	struct port *items;
	size_t count;
};

#define SITE_NOWHERE UINT32_MAX
struct site {
	struct keyed key;	  /* its name */
	struct attrs *attrs;	  /* NULL: Pods name it, but it is not there */
	uint32_t index;		  /* in the order of names; SITE_NOWHERE while it is not there */
	int64_t cpu, pages, pods; /* used */
	size_t port_users;	  /* guests that hold host ports */
	struct guest *guests;
};

struct guest {
	struct keyed key; /* its uid */
	const char *name;
	struct kin *kin;
	struct site *site;
	bool leaving; /* on its way out: holds what it holds, but spread no longer counts it */
	struct guest *site_next, **site_at;
	struct guest *kin_next, **kin_at;
};

/* ---- kin ---- */

/* Never two of one kind in one domain. */
struct term {
	struct keyed key;
	unsigned refs;
	const char *namespace;
	struct label_selector selector;
	const char *topology;
};
struct kin {
	struct keyed key;
	unsigned refs;
	struct place *place;
	const char *namespace;
	struct string_map labels;
	const char *owner; /* uid of what controls them; NULL */
	uint64_t owner_hash;
	int64_t cpu, memory; /* milli, bytes */
	int64_t pages;
	struct ports ports;
	struct term **terms;
	size_t term_count;
	struct guest *guests;
};

/* ---- topology ---- */

/* A label whose values divide the nodes into domains. topology NULL: each node is its own. */
struct topology {
	const char *name;
	int32_t *domain;     /* by node; -1: it has no such label */
	const char **values; /* of each domain */
	size_t count;
	struct topology *next;
};
#define TOPOLOGIES_MAX 64

/* Nodes grouped into cells: within one, all domains of some topologies are the same. */
#define CELL_KEYS_MAX 16
#define BLOCK_NODES   64
struct block {
	uint32_t start, end; /* in order[] */
};
struct cell {
	uint32_t start, end; /* of blocks[] */
	uint32_t node;	     /* one of its nodes: knows its domains */
};
struct layout {
	const struct topology *keys[CELL_KEYS_MAX];
	size_t key_count;
	uint32_t *order;    /* nodes, by cell, then by index */
	uint32_t *block_of; /* by node */
	struct block *blocks;
	struct cell *cells;
	size_t block_count, cell_count;
	struct layout *next;
};

/* ---- classes ---- */

enum tally_kind {
	TALLY_OWNER, /* Pods of the same owner */
	TALLY_MATCH, /* Pods that a selector matches */
	TALLY_CARRY, /* Pods that carry an anti-affinity term */
};
/* Counted Pods by domain. */
struct tally {
	enum tally_kind kind;
	bool refuses;			       /* anti-affinity: one is too many */
	const struct label_selector *selector; /* MATCH; NULL: matches nothing */
	const struct term *term;	       /* CARRY */
	const struct topology *topology;
	int32_t *counts; /* counts[domain + 1]; the first is of nodes without the label */
};

/* Nodes on which a Pod may be, whatever is there already. */
#define ADMIT_NO UINT8_MAX
struct filter {
	struct keyed key;
	unsigned refs;
	int need;
	struct string_map selector;
	struct requirements *terms; /* any of them; count 0: no condition */
	size_t term_count;
	struct {
		struct toleration *items;
		size_t count;
	} tolerations;
	uint8_t *admit; /* by node: ADMIT_NO, or untolerated PreferNoSchedule taints * 4 + levels above the
			   need */
	uint64_t epoch, seen, version;
};

struct spread {
	int32_t max_skew;
	bool hard;
	bool self; /* the Pod itself is one of those counted */
	const char *topology;
	const struct label_selector *selector;
	/* Of hard ones, the emptiest domain of those with an admitted node. */
	int32_t *open; /* admitted nodes of each domain */
	int32_t least;
	int32_t least_domain; /* -1: none is open */
};

struct class
{
	struct keyed key;
	struct class *newer, *older; /* by last use */
	struct filter *filter;
	struct kin *kin;
	struct spread *spreads;
	size_t spread_count;
	struct ask {
		int32_t cpu, pages;
	} ask;

	/* Compiled. */
	uint64_t epoch, terms_epoch, seen, filter_version;
	struct tally *tallies;
	size_t tally_count;
	bool by_owner; /* default spread: tallies[0] by node, tallies[1] by zone; else one for each of spreads
			*/
	struct term **others; /* terms of Pods that refuse this class; references */
	size_t other_count;
	const struct layout *layout;
	int32_t *row; /* by node: see place-scan.c */
	uint64_t refused_at; /* place.changes + 1 when none fitted; then: */
	size_t refused[PLACE_REASON_COUNT];
	int32_t *block_min;
};

/* ---- columns: what changes of each node, as arrays ---- */

/* Of a key in a row, from the top: Pods of the owner on the node, the filter's admission, fit. Less is
 * better. */
#define KEY_NONE	INT32_MAX
#define KEY_OWNER_SHIFT 23
#define KEY_OWNER_MAX	254
#define KEY_ADMIT_SHIFT 18
#define KEY_FIT_MAX	((1 << KEY_ADMIT_SHIFT) - 1)
#define COLUMN_MAX	(INT32_MAX - 1)

struct columns {
	int32_t *cpu, *pages, *pods; /* free; -1: too much is there */
	int32_t *used_pods;
	int32_t *cpu_weight, *page_weight; /* 2^30 / what the node has */
};

/* place-scan.c: the keys of `count` nodes (a multiple of BLOCK_NODES) and the least of each block. */
typedef void scan_fn(const struct columns *c, const uint8_t *admit, const struct ask *ask, int32_t *row,
		     int32_t *block_min, size_t count);
struct scan_version {
	const char *name;
	scan_fn *fn;
	bool (*supported)(void);
};
extern const struct scan_version place_scan_versions[]; /* the best first; ends with {0} */
int32_t place_key(const struct columns *c, uint8_t admit, const struct ask *ask, size_t node);

/* ---- the whole ---- */

#define JOURNAL_SIZE 8192
struct journal_entry {
	struct kin *kin; /* a reference; NULL */
	uint32_t node;
	int8_t present, spread; /* change of what anti-affinity and spread count */
	bool attrs;		/* what filters look at has changed */
};

#define CLASSES_MAX 512
#define CLASS_BYTES ((size_t)64 << 20)

struct place {
	struct table sites, guests, kins, terms, filters, classes;
	struct site **by_index;
	size_t count, room; /* nodes; of the columns, a multiple of BLOCK_NODES */
	bool unsettled;	    /* nodes came, went or changed their labels: see place_settle() */
	struct columns columns;
	int32_t *column_memory;
	uint64_t epoch, terms_epoch;
	struct journal_entry journal[JOURNAL_SIZE];
	uint64_t written; /* entries, of all time */
	uint64_t changes;
	struct topology *topologies;
	size_t topology_count;
	struct layout *layouts;
	struct class *newest, *oldest;
	scan_fn *scan;
	struct str scratch;
};

/* place.c */
err *place_settle(struct place *p) MUST_CHECK;
void place_journal(struct place *p, const struct site *site, struct kin *kin, int present, int spread,
		   bool attrs);
void site_columns(struct place *p, const struct site *site);
err *guest_add(struct place *p, struct kin *kin, const char *node, const char *uid, const char *name,
	       bool leaving) MUST_CHECK; /* a reference of its own */
void guest_remove(struct place *p, struct guest *g);

/* place-node.c */
err *site_of(struct place *p, const char *name, struct site **ret) MUST_CHECK; /* made where there is none */
void site_tidy(struct place *p,
	       struct site *s); /* gone, when neither a node nor a Pod has the name any more */
void attrs_unref(struct attrs *a);

/* place-kin.c */
err *kin_of(struct place *p, const struct pod *pod, struct kin **ret) MUST_CHECK; /* a reference */
err *kin_copy(struct place *p, const struct kin *from, struct kin **ret) MUST_CHECK;
struct kin *kin_ref(struct kin *k);
void kin_unref(struct kin *k);
bool kin_has_port(const struct kin *k, const struct port *port);
struct term *term_ref(struct term *t);
void term_unref(struct place *p, struct term *t);

/* place-filter.c */
err *filter_of(struct place *p, const struct pod *pod, struct filter **ret) MUST_CHECK; /* a reference */
void filter_unref(struct place *p, struct filter *f);
err *filter_refresh(struct place *p, struct filter *f) MUST_CHECK;
/* Bits of enum place_reason: all that refuse; and words for one of them. */
unsigned filter_reasons(const struct filter *f, const struct attrs *a);
void filter_detail(const struct filter *f, const struct attrs *a, enum place_reason reason,
		   struct str *detail);
int protection_level(const char *text, int unknown);

/* place-topology.c */
err *topology_of(struct place *p, const char *name, const struct topology **ret) MUST_CHECK;
err *layout_of(struct place *p, const struct topology *const *keys, size_t count,
	       const struct layout **ret) MUST_CHECK;
void topologies_drop(struct place *p);

/* place-class.c: the class of a Pod, ready for use. It stays until the next call. */
err *class_of(struct place *p, const struct pod *pod, struct class **ret) MUST_CHECK;
void classes_drop(struct place *p);
int32_t class_key(const struct place *p, const struct class *c, uint32_t node);
bool class_ports_taken(const struct place *p, const struct class *c, uint32_t node);

/* place-spread.c */
err *class_tallies(struct place *p, struct class *c) MUST_CHECK; /* make and count */
void class_tallies_drop(struct place *p, struct class *c);
void class_recount(const struct place *p, struct class *c);
void class_open_domains(const struct place *p, struct class *c);
void class_least(struct class *c);
void class_count(const struct class *c, const struct journal_entry *change);
/* What spread and anti-affinity say of the domains of a node. */
struct verdict {
	enum place_reason reason;
	size_t which;		       /* of spreads, or of tallies */
	int32_t counts[CELL_KEYS_MAX]; /* less is better, the first counts most */
	size_t count;
};
void class_judge(const struct class *c, uint32_t node, struct verdict *ret);

/* place-explain.c: bits of enum place_reason: all that refuse a node; 0: it fits. */
unsigned node_reasons(const struct place *p, const struct class *c, uint32_t node, const char *claim_node);
enum place_reason first_reason(unsigned reasons);
