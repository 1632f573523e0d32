/* scheduler/place-kin.c: what Pods of one template share: labels, owner, requests, host ports, anti-affinity.
 */
#include <string.h>

#include "scheduler/place-internal.h"

static int64_t add_up(int64_t a, int64_t b)
{
	int64_t sum;

	return __builtin_add_overflow(a, b, &sum) ? INT64_MAX : sum;
}

static struct quantity asked(struct quantity request, struct quantity limit)
{
	return request.given ? request : limit;
}

void pod_requests(const struct pod *pod, int64_t *ret_cpu, int64_t *ret_memory)
{
	int64_t cpu = 0, memory = 0;

	for (size_t i = 0; i < pod->spec.containers.count; i++) {
		const struct pod_resources *r = &pod->spec.containers.items[i].resources;
		struct quantity c = asked(r->requests.cpu, r->limits.cpu);
		struct quantity m = asked(r->requests.memory, r->limits.memory);
		cpu = add_up(cpu, c.milli);
		memory = add_up(memory, quantity_units(&m));
	}
	*ret_cpu = cpu;
	*ret_memory = memory;
}

/* ---- host ports ---- */

static uint16_t host_port(const struct pod *pod, const struct pod_port *port)
{
	return pod->spec.host_network ? port->container_port : port->host_port;
}

static size_t ports_of(const struct pod *pod, struct port *ret)
{
	size_t count = 0;

	for (size_t i = 0; i < pod->spec.containers.count; i++) {
		const struct pod_container *c = &pod->spec.containers.items[i];
		for (size_t j = 0; j < c->ports.count; j++) {
			uint16_t number = host_port(pod, &c->ports.items[j]);
			if (number && ret)
				ret[count] = (struct port){ number, (uint8_t)c->ports.items[j].protocol };
			count += number != 0;
		}
	}
	return count;
}

bool kin_has_port(const struct kin *k, const struct port *port)
{
	for (size_t i = 0; i < k->ports.count; i++)
		if (k->ports.items[i].number == port->number && k->ports.items[i].protocol == port->protocol)
			return true;
	return false;
}

/* ---- anti-affinity terms ---- */

struct term *term_ref(struct term *t)
{
	t->refs++;
	return t;
}

void term_unref(struct place *p, struct term *t)
{
	if (--t->refs)
		return;
	table_remove(&p->terms, &t->key);
	free((void *)t->key.bytes);
	free(t);
}

static void key_term(struct str *key, const char *namespace, const struct label_selector *selector,
		     const char *topology)
{
	key_text(key, namespace);
	key_selector(key, selector);
	key_text(key, topology);
}

static void pack_term(struct pack *pack, struct term *t, const char *namespace,
		      const struct label_selector *selector, const char *topology)
{
	t->namespace = pack_text(pack, namespace);
	pack_selector(pack, selector, &t->selector);
	t->topology = pack_text(pack, topology);
}

static err *term_of(struct place *p, const char *namespace, const struct label_selector *selector,
		    const char *topology, struct term **ret)
{
	auto_str struct str bytes = STR_INIT(1 << 20);
	struct pack pack = { 0 };
	struct term *t, measure;

	key_term(&bytes, namespace, selector, topology);
	TRY(str_check(&bytes));
	struct keyed key = keyed_of(bytes.data, bytes.len);
	t = table_find(&p->terms, &key);
	if (t) {
		*ret = term_ref(t);
		return NULL;
	}
	pack_room(&pack, sizeof(*t));
	pack_term(&pack, &measure, namespace, selector, topology);
	pack = (struct pack){ .memory = calloc(1, pack.used) };
	if (!pack.memory)
		return err_oom();
	t = pack_room(&pack, sizeof(*t));
	pack_term(&pack, t, namespace, selector, topology);
	t->refs = 1;
	err *e = key_take(&bytes, &t->key);
	if (!e)
		e = table_add(&p->terms, &t->key);
	if (e) {
		free((void *)t->key.bytes);
		free(t);
		return e;
	}
	p->terms_epoch++;
	*ret = t;
	return NULL;
}

/* ---- kin ---- */

struct kin *kin_ref(struct kin *k)
{
	k->refs++;
	return k;
}

static void kin_free(struct kin *k)
{
	for (size_t i = 0; i < k->term_count; i++)
		if (k->terms[i])
			term_unref(k->place, k->terms[i]);
	free((void *)k->key.bytes);
	free(k);
}

void kin_unref(struct kin *k)
{
	if (!k || --k->refs)
		return;
	table_remove(&k->place->kins, &k->key);
	kin_free(k);
}

/* What no other kin has. Terms without a selector match nothing, as Kubernetes has it. */
static void key_kin(struct str *key, const struct pod *pod, const char *owner, int64_t cpu, int64_t memory)
{
	key_text(key, pod->metadata.namespace);
	key_map(key, &pod->metadata.labels);
	key_text(key, owner);
	key_number(key, cpu);
	key_number(key, memory);
	for (size_t i = 0; i < pod->spec.containers.count; i++) {
		const struct pod_container *c = &pod->spec.containers.items[i];
		for (size_t j = 0; j < c->ports.count; j++)
			if (host_port(pod, &c->ports.items[j]))
				key_number(key, host_port(pod, &c->ports.items[j]) << 8 |
							c->ports.items[j].protocol);
	}
	str_add_char(key, '.');
	for (size_t i = 0; i < pod->spec.affinity.anti_required.count; i++) {
		const struct pod_anti_affinity_term *t = &pod->spec.affinity.anti_required.items[i];
		if (t->selector)
			key_term(key, pod->metadata.namespace, t->selector, t->topology_key);
	}
}

static void pack_kin(struct pack *pack, struct kin *to, const struct kin *from)
{
	to->namespace = pack_text(pack, from->namespace);
	pack_map(pack, &from->labels, &to->labels);
	to->owner = pack_text(pack, from->owner);
	to->ports =
		(struct ports){ pack_room(pack, from->ports.count * sizeof(struct port)), from->ports.count };
	to->terms = pack_room(pack, from->term_count * sizeof(struct term *));
}

/* Make one like the model; key: its bytes. */
static err *kin_make(struct place *p, const struct kin *model, const struct str *key, struct kin **ret)
{
	struct pack pack = { 0 };
	struct kin *k, measure;

	pack_room(&pack, sizeof(*k));
	pack_kin(&pack, &measure, model);
	pack = (struct pack){ .memory = calloc(1, pack.used) };
	if (!pack.memory)
		return err_oom();
	k = pack_room(&pack, sizeof(*k));
	pack_kin(&pack, k, model);
	if (k->ports.count)
		memcpy(k->ports.items, model->ports.items, k->ports.count * sizeof(struct port));
	k->place = p;
	k->refs = 1;
	k->owner_hash = k->owner ? keyed_of(k->owner, strlen(k->owner)).hash : 0;
	k->cpu = model->cpu;
	k->memory = model->memory;
	k->pages = (model->memory >> PAGE_SHIFT) + ((model->memory & ((1 << PAGE_SHIFT) - 1)) != 0);
	for (size_t i = 0; i < model->term_count; i++)
		k->terms[k->term_count++] = term_ref(model->terms[i]);
	err *e = key_take(key, &k->key);
	if (!e)
		e = table_add(&p->kins, &k->key);
	if (e)
		kin_free(k);
	else
		*ret = k;
	return e;
}

struct terms {
	struct place *place;
	struct term **items;
	size_t count;
};
static void terms_done(struct terms *t)
{
	for (size_t i = 0; i < t->count; i++)
		term_unref(t->place, t->items[i]);
}
DEFINE_CLEANUP_OF(struct terms, terms_done)

err *kin_of(struct place *p, const struct pod *pod, struct kin **ret)
{
	const struct owner_reference *owner = meta_controller(&pod->metadata);
	struct kin model = {
		.namespace = pod->metadata.namespace,
		.labels = pod->metadata.labels,
		.owner = owner ? owner->uid : NULL,
	};
	auto_free struct port *ports = NULL;
	auto_free struct term **items = NULL;
	CLEANUP(terms_done) struct terms terms = { .place = p };

	pod_requests(pod, &model.cpu, &model.memory);
	str_clear(&p->scratch);
	key_kin(&p->scratch, pod, model.owner, model.cpu, model.memory);
	TRY(str_check(&p->scratch));
	struct keyed key = keyed_of(p->scratch.data, p->scratch.len);
	struct kin *k = table_find(&p->kins, &key);
	if (k) {
		*ret = kin_ref(k);
		return NULL;
	}
	model.ports.count = ports_of(pod, NULL);
	ports = calloc(model.ports.count + 1, sizeof(*ports));
	terms.items = items = calloc(pod->spec.affinity.anti_required.count + 1, sizeof(struct term *));
	if (!ports || !items)
		return err_oom();
	ports_of(pod, ports);
	model.ports.items = ports;
	for (size_t i = 0; i < pod->spec.affinity.anti_required.count; i++) {
		const struct pod_anti_affinity_term *t = &pod->spec.affinity.anti_required.items[i];
		if (!t->selector)
			continue;
		TRY(term_of(p, model.namespace, t->selector, t->topology_key, &terms.items[terms.count]));
		terms.count++;
	}
	model.terms = terms.items;
	model.term_count = terms.count;
	return kin_make(p, &model, &p->scratch, ret);
}

err *kin_copy(struct place *p, const struct kin *from, struct kin **ret)
{
	auto_free struct term **items = NULL;
	CLEANUP(terms_done) struct terms terms = { .place = p };
	struct kin model = *from;
	struct kin *k = table_find(&p->kins, &from->key);

	if (k) {
		*ret = kin_ref(k);
		return NULL;
	}
	terms.items = items = calloc(from->term_count + 1, sizeof(struct term *));
	if (!items)
		return err_oom();
	for (size_t i = 0; i < from->term_count; i++) {
		const struct term *t = from->terms[i];
		TRY(term_of(p, t->namespace, &t->selector, t->topology, &terms.items[i]));
		terms.count++;
	}
	model.terms = terms.items;
	str_clear(&p->scratch);
	str_add_bytes(&p->scratch, from->key.bytes, from->key.len);
	return kin_make(p, &model, &p->scratch, ret);
}
