/* examples/portal/pages.h: the pages, and what they share. */
#pragma once
#include "examples/portal/page.h"
#include "examples/states.h"

http_handler get_start, get_sign_in, post_sign_in, post_sign_out;
http_handler get_apply, post_apply, get_find;
http_handler get_application, post_answer, post_sign, post_state;
http_handler get_accessibility, get_style, get_icon, get_health;

/* The title of a kind, or its name when the catalogue has it no more. */
const char *kind_title(const struct page *p, const struct forms *forms, const char *kind);

/* The name of a state, and a sentence for whom it concerns. */
const char *state_title(const struct page *p, enum state state);
const char *state_text(const struct page *p, enum state state);
void add_badge(struct page *p, enum state state);

/* A message in a box: what was done, or what is wrong. kind: "good", "bad", "note". */
void add_notice(struct page *p, const char *kind, const char *text);
