/* examples/portal/states-text.c: what a state of processing is called, and what it means for people. */
#include "examples/portal/pages.h"

/* clang-format off */
static const struct {
	struct words title, text;
	const char *look; /* class in style.css */
} rows[STATE_COUNT] = {
	[STATE_RECEIVED] = { { "Eingegangen", "Received" },
		{ "Ihr Antrag ist bei uns. Wir beginnen bald mit der Prüfung.", "We have your application. We will soon begin to examine it." }, "open" },
	[STATE_REVIEW]   = { { "In Prüfung", "Being examined" },
		{ "Wir prüfen Ihre Angaben. Sie müssen nichts tun.", "We are examining what you wrote. You need not do anything." }, "open" },
	[STATE_QUERY]    = { { "Rückfrage", "Question to you" },
		{ "Wir brauchen noch etwas von Ihnen. Bitte antworten Sie unten.", "We need something more from you. Please answer below." }, "act" },
	[STATE_GRANTED]  = { { "Bewilligt", "Granted" },
		{ "Ihr Antrag ist bewilligt. Sie bekommen den Bescheid auch mit der Post.", "Your application is granted. You will also get the notice by post." }, "good" },
	[STATE_REFUSED]  = { { "Abgelehnt", "Refused" },
		{ "Ihr Antrag ist abgelehnt. Gegen den Bescheid können Sie innerhalb eines Monats Widerspruch einlegen.", "Your application is refused. You can object to the notice within one month." }, "bad" },
};
/* clang-format on */

const char *state_title(const struct page *p, enum state state)
{
	return say_words(p, &rows[state].title);
}

const char *state_text(const struct page *p, enum state state)
{
	return say_words(p, &rows[state].text);
}

void add_badge(struct page *p, enum state state)
{
	html_add(p->html, "<span class=\"badge %s\">%s</span>", rows[state].look, state_title(p, state));
}

void add_notice(struct page *p, const char *kind, const char *text)
{
	html_add(p->html, "<div class=\"notice %s\" role=\"%s\"><p>%s</p></div>\n", kind,
		 str_equal(kind, "bad") ? "alert" : "status", text);
}

const char *kind_title(const struct page *p, const struct forms *forms, const char *kind)
{
	const struct form *form = forms_find(forms, kind);

	return form ? say_words(p, &form->title) : kind;
}
