/* examples/antrag/catalogue.c: the table of kinds as JSON, from which the portal draws its forms. */
#include "base/json.h"
#include "examples/antrag/service.h"
#include "examples/kinds.h"
#include "examples/token.h"

static void add_words(struct json_writer *w, const char *key, const struct words *words)
{
	if (!words->de)
		return;
	json_key(w, key);
	json_begin_object(w);
	json_member_string(w, "de", words->de);
	json_member_string(w, "en", words->en);
	json_end_object(w);
}

static void add_choices(struct json_writer *w, const struct choice *choices)
{
	json_key(w, "choices");
	json_begin_array(w);
	for (const struct choice *choice = choices; choice->value; choice++) {
		json_begin_object(w);
		json_member_string(w, "value", choice->value);
		add_words(w, "label", &choice->label);
		json_end_object(w);
	}
	json_end_array(w);
}

static void add_field(struct json_writer *w, const struct kind_field *field)
{
	json_begin_object(w);
	json_member_string(w, "name", field->name);
	json_member_string(w, "type", enum_name(field_kind_names, (int)field->kind));
	json_member_bool(w, "required", !field->optional);
	add_words(w, "label", &field->label);
	add_words(w, "hint", &field->hint);
	if (field->max)
		json_member_uint(w, "max", field->max);
	if (field->autocomplete)
		json_member_string(w, "autocomplete", field->autocomplete);
	if (field->choices)
		add_choices(w, field->choices);
	json_end_object(w);
}

err *get_kinds(const struct http_request *r UNUSED, struct http_response *out)
{
	struct json_writer w = JSON_WRITER(&out->body, 0);

	json_begin_object(&w);
	json_key(&w, "kinds");
	json_begin_array(&w);
	for (const struct kind *kind = kinds; kind->name; kind++) {
		json_begin_object(&w);
		json_member_string(&w, "name", kind->name);
		json_member_string(&w, "assurance", enum_name(loa_names, kind->loa));
		add_words(&w, "title", &kind->title);
		add_words(&w, "summary", &kind->summary);
		json_key(&w, "fields");
		json_begin_array(&w);
		for (const struct kind_field *field = kind->fields; field->name; field++)
			add_field(&w, field);
		json_end_array(&w);
		json_end_object(&w);
	}
	json_end_array(&w);
	json_end_object(&w);
	strv_add(&out->headers, "Cache-Control: public, max-age=60");
	return NULL;
}
