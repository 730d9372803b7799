"""How a change of a value is said, and that one failed or works. Patterns only."""

from __future__ import annotations

import re

CHANGE = re.compile(
    r"(?:(?:cutt|bring|go|tak|dropp|lower|rais|mov|sett|putt)ing (?:(?:that|it|this) )?(?:down |up |back )?to"
    r"|\b(?:it|that one|this one)(?:'s| is)(?: at)?|改成|改为|改回|改|换回|调回|变成|换成|还是用?"
    r"|调到|改到|现在用?的?是|现在改?用|现在|先用?|(?:准备|打算|计划|想|决定)(?:用|改成|改用|设成|换成)|那就用?|就用|调成|降到|降为"
    r"|降成|升到|提到|再?设为|make (?:it|that)|chang(?:e"
    r"|ed) (?:it|that"
    r"|this) (?:back )?to|set (?:it|that) to|put (?:it"
    r"|that) (?:at|to)"
    r"|\b(?:up|down|drop|dropped|go|went|bring|moved?|switch(?:ed)?|lowered|raised|reduced|increased|cut"
    r"|bumped) (?:it )?(?:back )?(?:up |down )?to"
    r"|\b(?:stay(?:ed|ing|s)?|stick(?:ing)?|stuck|settled?|remain(?:ed)?|end(?:ed|ing)? up|land(?:ed)?|finish(?:ed)?"
    r"|went|wound up|now|kept"
    r"|keep(?:ing)?|bleibe?|blieb|quedé|me quedo) (?:now )?(?:with|on|at|using|by|back to|to|bei|con)"
    r"|\bactually|\b(?:going|go|went) (?:with|for)|\bi (?:took|used?|chose|picked)|\bi'?m (?:on|at)|设成|设置成|给成"
    r"|\bfor now,? (?:i'?ll |we "
    r"|let'?s )?(?:keep|use|take|go with|leave)|\bno,?|\bnope,?"
    r"|\bi meant?|\b(?:want|have|like|prefer|leave|need) (?:it|that|this)(?: at"
    r"| to be| as| on)?|\bi mean|\bsorry,?|\brather|\bbetter|\bnow|\binstead|\ber,?|\boops,?"
    r"|\bscratch that,?|\bwait,?|\bdoch(?: lieber)?|\blieber"
    r"|\bnein,?|\b(?:y|pero) eran?|\beran? en realidad|\bwaren (?:es )?(?:aber |eigentlich )?|\bmejor|\bperdón,?|\bcorrección,?"
    r"|\bdigo,?|(?<!where )\bit (?:says|reads|said)|不对,?|不,|算了,?(?:改成)?|\bpásalo a|\bnvm|\bnever mind"
    r"|\bthis time|\bdiesmal|\besta vez|这次|应该是|应为"
    r"|\bcámbialo a|\b(?:ponlo|d[ée]jalo) (?:en|a)|\bmach(?:e)? (?:daraus|es)|\blet (?:it|that|this) be|\blet'?s (?:say|do|try)"
    r"|\blet me (?:try|do"
    r"|use|take|say)|\bi'?ll (?:try|do|take|say)|\bi(?:'d| would) (?:say|take|use|go with|try)|\blo (?:bajo|subo|dejo|pongo|paso"
    r"|cambio) (?:a|en)"
    r"|\bit (?:should|shall|must|has to|needs to|ought to) be)了?(?:[\s,]*(?:just|i|we|use|using|set|to|it|that"
    r"|with|go|nur|bloß|sólo|solo|only|let'?s|make|take|at|be|the|back|wait|an? (?:ratio|share|fraction|value|rate|length) of))*[\s,.:-]*$"
)
OLD = re.compile(
    r"(?:\b(?:the|my|our|their) (?:old|previous|former|earlier|original)|formerly|instead of|rather than|in place of|statt|anstatt"
    r"|anstelle von|en vez de|en lugar de|而不是|where (?:it|that) (?:says|said|has|had|is|was))\s*(?:the |a |an "
    r"|of )?$"
)
# "so 2 it stays", "4bit it will be": what stands before it is settled on.
SETTLED = re.compile(
    r"(?:\s?bits?)?,?\s?\b(?:it|that)(?: is\b|'s\b| stays\b| was\b| will be\b|'ll be\b| shall be\b| has to be\b| had to be\b| must be\b"
    r"| remains\b)|\s(?:bleibt es|wird es|se queda|será)\b|\s?(?:那次|那个|这个|那组)?(?:效果)?最好|\s?吧(?![a-z])|\s(?:was|is|worked"
    r"|did|gave|looked"
    r"|came out)(?: the)? best\b|\s(?:then|instead)\W*$|\sthis time\b"
)
FAILED = re.compile(
    r"\b(?:no luck|oom\S*|(?:ran |runs? )?(?:straight |right )?out of (?:memory|vram)|crash\w*|fail\w*|nan|error\w*|too (?:much|big"
    r"|slow|high"
    r"|long|small|low|short|little)|doesn'?t (?:work"
    r"|run|fit)|explode[sd]?"
    r"|diverge[sd]?|died|dies|killed|blew up|blows up|garbage|rubbish)\b|爆|报错|失败|不行"
)
WORKED = re.compile(
    r"\b(?:works?|worked|runs?|ran|trains?|fine|ok|okay|fits?|stable|goes (?:through|well)|went (?:through|well)|passes"
    r"|survives?|trained|does(?:n'?t| not)?(?! (?:work|fit|run|train)))\b|可以|能跑|正常|没问题|就行|就好|好了"
)
# "went with the latter": which of two values told before.
PICKED = re.compile(
    r"\b(?:went|go|going|gone|took|take|taking|used?|using|chose|choose|picked?|picking|stuck|stick|trying|try|ran|run"
    r"|tried)\b(?: with| for)? "
    r"(?:the )?(?:(?P<first>former|first)|(?P<second>latter|second))\b(?! (?:gpu|card|run|epoch|step|time|one's))"
    r"|(?:用|选|取|采用|选择)了?(?:的是)?(?:(?P<first2>前者|前一个)|(?P<second2>后者|后一个))"
)
# What may stand between a value and the word that it works.
BEFORE_WORKED = re.compile(
    r"[\W\d]*(?:(?:it|that|this|one|everything|finally|now|then|just|last|seems|to|and|batch|is|was|at)[\W\d]+)*"
)
# "eran 4 épocas, no 3": in Spanish the old value; an English "rank 8, no 16" lacks a comma.
SPANISH = re.compile(r"[áéíóúñ¿¡]|\b(?:eran?|son|quiero|pon|perdona|mejor)\b")
