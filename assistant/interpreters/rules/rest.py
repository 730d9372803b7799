""" "…, the rest as you think best": what a message leaves to us beside what it says itself.

The part is cut out, so that the words in it are not read as anything else, and the remainder is a message of its own.
"""

from __future__ import annotations

import re

from assistant.interpreters.rules.move_words import PART_OF

_REST = (
    r"(?:(?:all )?(?:the|my) (?:rest(?: of (?:it|them|the (?:settings|values|parameters|plan|config\w*)))?|others?"
    r"|other (?:ones|things|settings|values|parameters|fields)|remaining(?: (?:ones|things|settings|values"
    r"|parameters|fields))?)"
    r"|rest\b(?! (?:api|day|time))|(?:everything|anything|all|whatever)(?: that)?(?:'s| is)? (?:else|left|remains"
    r"|remaining|open|missing)"
    r"|(?:el )?resto|(?:todo )?lo demás|(?:der|den|dem|beim|für den) rest|alles (?:andere|übrige)|其余(?:的)?|其他(?:的)?"
    r"|其它(?:的)?"
    r"|剩下(?:的)?)"
)
_YOU = r"(?:you|u|du|tú|usted|你)"
_CHOICE = (
    rf"(?:(?:as|what(?:ever)?|however|how|wie|como|lo que)?\s*{_YOU} (?:think|want|like|prefer|see|choose|decide"
    rf"|pick|know|set|recommend"
    r"|judge|find|suggest|magst|willst|meinst|denkst|entscheidest|wählst|quieras|decidas|decides|eliges|prefieras|veas)"
    r"(?: (?:is |it |'s )?(?:best|fit|right|good|proper|sensible|better|it|them|mejor|am besten))*"
    rf"|up to {_YOU}|your (?:call|choice|pick|defaults?|recommendations?)"
    r"|(?:(?:at|on|to|by|per|with|a|al|auf|nach|in|the|your|its?|their|good|sensible|sane|usual|normal|recommended"
    r"|reasonable)\s+)*"
    r"(?:default (?:values?|settings?)|defaults?|standards?|standard(?:werte|werten)?"
    r"|(?:los )?valores (?:por defecto|predeterminados)"
    r"|por defecto|auto|automatic(?:ally)?)"
    r"|(?:as |what(?:ever)? )?(?:is |'s )?(?:best|recommended|usual|sensible|appropriate|normal|works(?: best)?)"
    r"|(?:(?:on|with|at) )?(?:recommended|usual|sensible|standard|normal|suggested) (?:values?|settings?|ones?)"
    r"|entscheide(?:st)? du|überlasse ich dir|a tu (?:criterio|elección)|como (?:tú )?veas|你(?:来)?(?:定|决定|选|看着办)"
    r"|默认(?:值|即可|就好|就行)?|随你)"
)
_GIVE = (
    r"(?:(?:and|but|then|please|just|so|und|y|with|let|i(?:'ll)? let|i leave|i'll leave)\s+)*"
    rf"(?:{_YOU} (?:can |may |could |should |please |just )?(?:choose|decide(?: on)?|pick|set|fill(?: in)?|select|do"
    rf"|handle|figure out|take care of)"
    r"|(?:choose|decide(?: on)?|pick|fill in|select|figure out|leave|take care of|elige|decide|wähle?|bestimme"
    r"|übernimm)"
    r"|(?:(?:use|take|keep|go with|apply|with|leave|nimm|usa|toma|pon)\s+)?(?:(?:the|your|good|sensible|sane|usual"
    r"|normal|recommended|reasonable|los)\s+)*"
    r"(?:defaults?(?: values?| settings?)?|default|standard(?:werte)?|valores por defecto|usual (?:values?|settings?)"
    r"|recommended (?:values?|settings?|ones?)|normal (?:values?|settings?)))"
)
_FOR = r"(?:\s+(?:on|for|in|with|to|für|para|bei|at))?"
_BIND = r"(?:\s*(?:,|:|=|-|is|are|can be|can stay|should be|stays?|goes?|be|may be|sei|ist|bleibt|es|sea|按|用|都)?\s*)"
_LEAD = r"(?:(?:and|but|then|also|so|please|just|leave|keep|use|take|set|put|und|y|con|mit|nimm|deja|lass)\s+)*(?:for\s+|para\s+|für\s+)?"
_LEFT = re.compile(
    rf"(?<![a-z])(?:{_LEAD}{_REST}{_BIND}{_CHOICE}|{_GIVE}{_FOR}\s*{_REST}(?:\s+(?:to|for) (?:you|me|u)"
    rf"|\s+yourself)?)(?![a-z])",
    re.I,
)


def delegated(text: str) -> tuple[str, bool]:
    """(`text` without the part that leaves the rest to us, whether there was one). A question leaves nothing."""
    hit = _LEFT.search(text)
    if hit and PART_OF.search(text[: hit.start()].lower()):
        return text, False
    if not hit or re.match(r"\s*\?", text[hit.end() :]):
        return text, False
    return (text[: hit.start()].rstrip(" ,;-") + " , " + text[hit.end() :].lstrip(" ,;")).strip(" ,"), True
