/* cmd/stube-systemd/properties.c: properties of a unit into a message of the bus. */
#include "cmd/stube-systemd/manager.h"

static int append_pairs(sd_bus_message *m, const struct unit_property *p)
{
	int r = sd_bus_message_open_container(m, 'v', "a(st)");

	if (r >= 0)
		r = sd_bus_message_open_container(m, 'a', "(st)");
	for (size_t i = 0; i < p->count && r >= 0; i++)
		r = sd_bus_message_append(m, "(st)", p->items[i].text, p->items[i].number);
	if (r >= 0)
		r = sd_bus_message_close_container(m);
	return r < 0 ? r : sd_bus_message_close_container(m);
}

static int append_strings(sd_bus_message *m, const struct unit_property *p)
{
	int r = sd_bus_message_open_container(m, 'v', "as");

	if (r >= 0)
		r = sd_bus_message_open_container(m, 'a', "s");
	for (size_t i = 0; i < p->count && r >= 0; i++)
		r = sd_bus_message_append(m, "s", p->items[i].text);
	if (r >= 0)
		r = sd_bus_message_close_container(m);
	return r < 0 ? r : sd_bus_message_close_container(m);
}

static int append_bytes(sd_bus_message *m, const struct unit_property *p)
{
	int r = sd_bus_message_open_container(m, 'v', "ay");

	if (r >= 0)
		r = sd_bus_message_append_array(m, 'y', p->bytes, p->count);
	return r < 0 ? r : sd_bus_message_close_container(m);
}

static int append_value(sd_bus_message *m, const struct unit_property *p)
{
	double real;

	switch (p->type) {
	case UNIT_BOOL:
		return sd_bus_message_append(m, "v", "b", p->number != 0);
	case UNIT_INT32:
		return sd_bus_message_append(m, "v", "i", (int32_t)p->number);
	case UNIT_UINT32:
		return sd_bus_message_append(m, "v", "u", (uint32_t)p->number);
	case UNIT_INT64:
		return sd_bus_message_append(m, "v", "x", (int64_t)p->number);
	case UNIT_UINT64:
		return sd_bus_message_append(m, "v", "t", p->number);
	case UNIT_DOUBLE:
		memcpy(&real, &p->number, sizeof real);
		return sd_bus_message_append(m, "v", "d", real);
	case UNIT_STRING:
		return sd_bus_message_append(m, "v", "s", p->text);
	case UNIT_STRINGS:
		return append_strings(m, p);
	case UNIT_BYTES:
		return append_bytes(m, p);
	case UNIT_PAIRS:
		return append_pairs(m, p);
	}
	return -EINVAL;
}

int append_properties(sd_bus_message *m, const struct unit_properties *list)
{
	int r = 0;

	for (size_t i = 0; i < list->count && r >= 0; i++) {
		r = sd_bus_message_open_container(m, 'r', "sv");
		if (r >= 0)
			r = sd_bus_message_append(m, "s", list->items[i].name);
		if (r >= 0)
			r = append_value(m, &list->items[i]);
		if (r >= 0)
			r = sd_bus_message_close_container(m);
	}
	return r;
}
