/* tests/unit/scheduler/place-make.h: nodes and Pods for the tests of placement. */
#pragma once
#include <string.h>

#include "scheduler/place.h"
#include "tests/unit/unit.h"

static inline UNUSED void *make_room(struct arena *a, size_t count, size_t size)
{
	void *p = arena_array(a, count, size);

	assert_non_null(p);
	return p;
}

static inline UNUSED struct quantity amount(const char *text)
{
	struct quantity q = { 0 };

	if (text)
		assert_true(quantity_parse(text, &q));
	return q;
}

/* "a=1,b=2" */
static inline UNUSED struct string_map make_map(struct arena *a, const char *text)
{
	struct string_map map = { make_room(a, 32, sizeof(struct string_pair)), 0 };
	char *copy = arena_strdup(a, text ? text : ""), *save = NULL;

	for (char *pair = strtok_r(copy, ",", &save); pair; pair = strtok_r(NULL, ",", &save)) {
		char *value = strchr(pair, '=');
		*value++ = '\0';
		map.items[map.count++] = (struct string_pair){ pair, value };
	}
	return map;
}

static inline UNUSED const struct label_selector *make_selector(struct arena *a, const char *labels)
{
	struct label_selector *s = make_room(a, 1, sizeof(*s));

	s->match_labels = make_map(a, labels);
	return s;
}

static inline UNUSED void make_ready(struct arena *a, struct node *n, bool ready, const char *message)
{
	struct condition *c = make_room(a, 1, sizeof(*c));

	*c = (struct condition){
		.type = "Ready",
		.status = ready ? CONDITION_TRUE : CONDITION_FALSE,
		.message = message,
	};
	n->status.conditions = (struct conditions){ c, 1 };
}

/* Ready, with room for what is asked. */
static inline UNUSED struct node *make_node(struct arena *a, const char *name, const char *cpu,
					    const char *memory, const char *pods, const char *labels)
{
	struct node *n = make_room(a, 1, sizeof(*n));
	struct resource_amount *items = make_room(a, 3, sizeof(*items));

	*n = (struct node){ .api_version = "v1", .kind = "Node", .metadata = { .name = name } };
	n->metadata.labels = make_map(a, labels);
	items[0] = (struct resource_amount){ "cpu", amount(cpu) };
	items[1] = (struct resource_amount){ "memory", amount(memory) };
	items[2] = (struct resource_amount){ "pods", amount(pods) };
	n->status.allocatable = (struct resource_list){ items, 3 };
	make_ready(a, n, true, NULL);
	return n;
}

static inline UNUSED void make_taint(struct arena *a, struct node *n, const char *key, const char *value,
				     int effect)
{
	struct taint *items = make_room(a, n->spec.taints.count + 1, sizeof(*items));

	if (n->spec.taints.count)
		memcpy(items, n->spec.taints.items, n->spec.taints.count * sizeof(*items));
	items[n->spec.taints.count++] = (struct taint){ .key = key, .value = value, .effect = effect };
	n->spec.taints.items = items;
}

/* One container; its name is also its uid. */
static inline UNUSED struct pod *make_pod(struct arena *a, const char *name, const char *cpu,
					  const char *memory, const char *labels)
{
	struct pod *p = make_room(a, 1, sizeof(*p));
	struct pod_container *c = make_room(a, 1, sizeof(*c));

	*p = (struct pod){ .api_version = "v1", .kind = "Pod" };
	p->metadata = (struct meta){ .name = name, .namespace = "default", .uid = name };
	p->metadata.labels = make_map(a, labels);
	c->name = "main";
	c->resources.requests.cpu = amount(cpu);
	c->resources.requests.memory = amount(memory);
	p->spec.containers.items = c;
	p->spec.containers.count = 1;
	return p;
}

static inline UNUSED void make_owner(struct arena *a, struct pod *p, const char *uid)
{
	struct owner_reference *o = make_room(a, 1, sizeof(*o));

	*o = (struct owner_reference){ "apps/v1", "ReplicaSet", uid, uid, true, true };
	p->metadata.owners.items = o;
	p->metadata.owners.count = 1;
}

static inline UNUSED void make_port(struct arena *a, struct pod *p, uint16_t number, int protocol)
{
	struct pod_port *port = make_room(a, 1, sizeof(*port));

	*port = (struct pod_port){ .container_port = number, .host_port = number, .protocol = protocol };
	p->spec.host_network = true;
	p->spec.containers.items[0].ports.items = port;
	p->spec.containers.items[0].ports.count = 1;
}

static inline UNUSED void make_toleration(struct arena *a, struct pod *p, struct toleration t)
{
	struct toleration *items = make_room(a, p->spec.tolerations.count + 1, sizeof(*items));

	if (p->spec.tolerations.count)
		memcpy(items, p->spec.tolerations.items, p->spec.tolerations.count * sizeof(*items));
	items[p->spec.tolerations.count++] = t;
	p->spec.tolerations.items = items;
}

static inline UNUSED void make_spread(struct arena *a, struct pod *p, const char *topology, int skew,
				      bool hard, const char *labels)
{
	struct spread_constraint *items = make_room(a, p->spec.spread.count + 1, sizeof(*items));

	if (p->spec.spread.count)
		memcpy(items, p->spec.spread.items, p->spec.spread.count * sizeof(*items));
	items[p->spec.spread.count++] = (struct spread_constraint){
		.max_skew = skew,
		.topology_key = topology,
		.when_unsatisfiable = hard ? SPREAD_DO_NOT_SCHEDULE : SPREAD_SCHEDULE_ANYWAY,
		.selector = make_selector(a, labels),
	};
	p->spec.spread.items = items;
}

static inline UNUSED void make_anti(struct arena *a, struct pod *p, const char *topology, const char *labels)
{
	struct pod_anti_affinity_term *t = make_room(a, 1, sizeof(*t));

	*t = (struct pod_anti_affinity_term){ make_selector(a, labels), topology };
	p->spec.affinity.anti_required.items = t;
	p->spec.affinity.anti_required.count = 1;
}

static inline UNUSED void make_need(struct arena *a, struct pod *p, const char *need)
{
	struct string_map *m = &p->metadata.labels;

	(void)a;
	m->items[m->count++] = (struct string_pair){ STUBE_PROTECTION_NEED, need };
}
