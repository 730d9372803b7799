"""How the moves of a conversation are said: yes, no, undo, go back, skip, restart, launch, stop, small talk. Patterns only."""

from __future__ import annotations

import re

_TAIL = (
    r"(?:[\s,.!]*(?:please|pls|plz|thanks|thx|thank you|bitte|danke|por favor|gracias|then|now|already|go|start"
    r"|yes|do it|let'?s go|好的|吧|啊|呀|了|谢谢|请))*[\s.!\U0001F300-\U0001FAFF\u2600-\u27BF\ufe0f]*$"
)
# Plain enough to spend money on. "k", "fine" or "hm ok" are not.
PLAIN_YES = re.compile(
    r"^\s*(?:(?:(?:yes|yep|yeah|ok|okay)[\s,]+train(?: it| now)?|yes|yep|yeah|yup|sure|ok|okay|absolutely|definitely|of course"
    r"|confirm(?:ed)?|agreed|ja|jawohl|jo"
    r"|klar|sí|si|vale|claro|dale|oui|是|是的|好|好的|好吧|可以|行|对|确认|同意|没问题|开始|启动)"
    r"|(?:yes,? |(?:好的?|行|可以|嗯)[\s,，]*)?(?:go(?: ahead)?|do it"
    r"|start(?: it| training| the training| now)?|launch(?: it| training| now)?"
    r"|run it|train it|let'?s go|ship it|los|los geht'?s|starte?n?|adelante|empieza|lánzalo|开始吧|开始训练|启动吧|开始了?))"
    + _TAIL
)
STARTS = re.compile(r"\b(?:start\w*|launch|train|run|go|begin|empieza|adelante|los)\b|开始|启动")
SOFT_YES = re.compile(
    r"^\s*(?:k|kk|y|fine|good|great|perfect|cool|nice|alright|all right|right|correct|exactly|sounds? good"
    r"|looks? good|lgtm|works for me|that'?s (?:fine|right|good|it)|that(?: one)?|(?:yes|yeah|yep|ok(?:ay)?"
    r"|sure)[\s,]+(?:that(?: one)?|do that|exactly"
    r"|(?:use|take|go with|let'?s do) (?:that|it)|the (?:suggested|recommended|suggestion) ?(?:one)?"
    r"|as you (?:say|suggest)|why not)|(?:i'?d say )?go for (?:it|that)|(?:ok(?:ay)?[\s,]+|yes[\s,]+|good[\s,]+|great[\s,]+|fine[\s,]+"
    r"|then )*(?:let'?s |i'?ll "
    r"|we )?(?:go with|take|use) (?:that|it|this|the "
    r"suggest(?:ion|ed)|your suggestion)"
    r"(?: one| model)?|gut|prima|super|in ordnung|alles klar|bet|aye|mhm|uh-?huh|yea|true|genau|passt"
    r"|stimmt|gerne?|bueno|perfecto|de acuerdo|vale(?:[, ]+es[aeo])?|es[aeo](?: mism[ao])?|das da|den da|(?:(?:好的?|行|嗯|可以"
    r"|那)[\s,，]*)?就用?(?:这个|它|你说的)(?:吧|了)?|嗯+|行吧|👍|👌|✅)" + _TAIL
)
PLAIN_NO = re.compile(
    r"^\s*(?:n|no|nope|nah|nay|not now|not yet|no thanks?(?: you)?|don'?t|stop|wait|hold on|never ?mind|nvm"
    r"|forget (?:it|that|about it)|cancel(?: that| it)?|leave it(?: as it is| alone| like that)?"
    r"|(?:ok(?:ay)?,? |then )?(?:keep|leave)(?: (?:it|that|them))?(?: as (?:it is|is|they are)| like that| that way| so)?|skip that|drop it"
    r"|no matter|not worth it|nein|ne|nee|lieber nicht|vergiss es|egal"
    r"|déjalo|olvídalo|cancela(?:r)?|不|不要|不用|不用了|算了|取消|先不|没事)"
    r"(?:[\s,.]*(?:leave it|keep it|thanks|thx|danke|gracias|please|lol|never ?mind|as it is|leave it as is|man"
    r"|bro|谢谢))*[\s.!]*$"
)
UNDO = re.compile(
    r"^\s*(?:ok(?:ay)?[\s,]+|no[\s,]+|oops[\s,]+|wait[\s,]+|please[\s,]+|sorry[\s,]+|hmm+[\s,]+)*(?:undo|revert"
    r"|take (?:that|it) back|roll ?back|go back one|undo (?:that|it|the last .*)|(?:that was"
    r"|it was) (?:a )?mistake|put (?:that|it) back|deshaz(?:lo)?|deshacer|rückgängig(?: machen)?"
    r"|mach das rückgängig|mach (?:den|die|das|es) .{0,30}rückgängig|rückgängig bitte|撤销|撤回|回退)\b.{0,40}$"
    r"|\bundo (?:that|this|it|the last|my last)\b|\bscratch (?:that|this)(?: (?:change|one|last one|edit))?\W*$|\brevert (?:that|this"
    r"|the last)\b|撤销|撤回|回退|退回上一步"
)
BACK_BEFORE = re.compile(
    r"\b(?:go back|return|revert|back|roll ?back|restore)\b.{0,20}\b(?:to )?(?:before|how it was before"
    r"|the (?:plan|state|version) before)\b(.*)|\bvolver a antes de\b(.*)|\bzurück (?:zu )?(?:bevor|vor)\b(.*)"
    r"|回到(.{0,12})之前"
)
BACK_TO = re.compile(
    r"^\s*(?:ok(?:ay)?[\s,]+|can we |could we |let'?s |please |i want to |actually[\s,]+)*(?:go |jump |return "
    r"|switch |get )?back(?: to)?(?: the)?\s*(.*)$|^\s*(?:let'?s |can (?:i|we) |i want to )?(?:revisit|redo|change"
    r"|edit) (?:the |my )?(\w+(?: \w+)?) ?(?:step|again|question|part)?[\s.?!]*$|^\s*(?:zurück|volver|vuelve"
    r"|regresa)(?: (?:zu[mr]?|a|al))?\s*(.*)$|^\s*(?:回到|返回)(.*)$|^\s*previous(?: step)?(.*)$"
)
SKIP = re.compile(
    r"^\s*(?:ok(?:ay)?[\s,]+|please[\s,]+|just[\s,]+|let'?s\s+)*(?:skip(?: (?:it|this|that|this one|for now))?"
    r"|next(?: question| step)?|later|pass|not sure|no idea|(?:i )?(?:don'?t|dont) (?:know|care)|idk|dunno|i dunno"
    r"|no preference|überspringen|weiter|saltar|siguiente|paso|omitir|no sé|跳过|下一步|不知道|随便)[\s.!?]*$|\bskip (?:this"
    r"|that|the)?\s*(?:step|question|one)?\b"
)
SKIP_FIELD = re.compile(r"^\s*(?:please )?skip (?:the )?([\w ]+?)(?: step| question| part)?[\s.!]*$")
PART_OF = re.compile(
    r"\b(?:half|double|twice|triple|a third|a quarter)(?: of)?(?: (?:your|the|its))?\s*$"
)  # "half of your default" is a value
CHOOSE = re.compile(
    r"\b(?:(?:the )?(?:one|model|thing)s? (?:that )?you (?:said|suggested?|recommend(?:ed)?|proposed?|mentioned|named|picked|meant)"
    r"|your (?:suggestion|recommendation|proposal)|you (?:choose|decide|pick|tell me|know best)|up to you|your (?:choice|call|pick)"
    r"|(?:do )?(?:what|as|how) you (?:think(?: (?:is |it'?s )?(?:best|right|good|fits?))?|like|prefer|want|see fit|recommend)"
    r"|whatever(?: you (?:think|want|say|like|prefer|recommend)|(?=\s*(?:$|[^\w\s]|is|works|for|suits|fits"
    r"|makes)))|surprise me|what(?:ever)?(?:'s| is) (?:best"
    r"|normal|usual|recommended)|(?:use|take|keep|go with|with|all|the|just|leave)\s+(?:the |all |it at |it on "
    r"|everything (?:at|on|else) )?(?:defaults?|recommended|usual|standard)(?: (?:values?|settings?|ones?|is fine"
    r"|are fine|for (?:the rest|everything)))?|defaults? (?:is|are|please|for (?:the rest|everything|all))"
    r"|\bdefaults?\s*[.!]*$|recommended(?: one| values?)?[\s.!]*$|choose for me|pick (?:one|something)(?: for me)?"
    r"|(?<!keep )(?<!only )(?<!save )the best one|i trust you|du entscheidest|such du aus|entscheide du|egal was"
    r"|standard(?:werte)?(?: bitte)?\s*$|elige tú|tú (?:eliges|decides)|lo que (?:tú )?(?:quieras|recomiendes)"
    r"|por defecto|你(?:来)?(?:定|决定|选|看着办)|默认(?:就好|即可|值|就行)?|随你)\b|whatever you think|你定|默认"
)
RESTART = re.compile(
    r"\b(?:start (?:over|again from scratch|from scratch|all over|fresh|a ?new)|restart(?: the (?:plan|wizard"
    r"|conversation))?$|restart everything|reset (?:everything|the plan|all|it all)|^reset$|new plan|begin again"
    r"|from the beginning|clear (?:everything|all|the plan)|wipe (?:it|everything|the (?:slate|board|plan))|clean slate"
    r"|scrap (?:it all|everything"
    r"|that plan)|neu anfangen|von vorne|von vorn|nochmal von vorn|empezar de (?:nuevo|cero)|reiniciar)\b|重新开始"
    r"|从头(?:再来|开始)|重来|全部清空"
)
SHOW = re.compile(
    r"\bwhat (?:did|have|had) (?:i|we|you) (?:got so far|so far|choose|chosen|set|picked?|got|have|said|decided?|so far)\b|\bso far\?|"
    r"\b(?:show|see|display|print|list|give|view|review|recap|summar\w+|overview|what(?:'s| is| do (?:we|i) have)"
    r"|where (?:are|were) we|sum up|put together|read back|tell me)\b.{0,24}\b(?:plan|config(?:uration)?|settings?|summary|so far"
    r"|everything|values|parameters|recap|overview|current|now)\b|^\s*(?:plan|summary|recap|review"
    r"|status of the plan|show(?: me)?(?: the plan| it| everything)?|where are we|what do we have)\s*[.?!]*$"
    r"|(?:^|[.,!]\s*)(?:ok(?:ay)? |so |and )?where were we\W*$|^(?:please )?dump (?:it|everything|the (?:plan|config\w*))(?: all)?\W*$"
    r"|\bsummar(?:y|ize|ise)\b|\bfass\w*\b.{0,16}\b(?:zusammen|alles)"
    r"|\bzeig\w*\b.{0,20}\b(?:zusammenfassung|plan|einstellungen|konfiguration|alles)|\bzusammenfassung\b"
    r"|\b(?:muestra|muéstrame|enséñame|ver)\b.{0,16}\b(?:plan|resumen|config\w*|todo)|\bresumen\b|(?:看(?:一下|看)?|显示"
    r"|展示|总结|汇总).{0,6}(?:配置|计划|方案|参数|设置)|^总结"
)
LAUNCH = re.compile(
    r"\b(?:launch|ship it|kick (?:it )?off|fire (?:it )?up|start (?:the )?(?:training|train|run|it|now"
    r"|fine-?tun\w+|job)|begin (?:the )?(?:training|run)|train (?:it |now|the model now)|run (?:it"
    r"|the training)(?: now)?\s*$|let'?s (?:go(?! with| for)|train|start|do it|launch|run it)|go ahead(?: and (?:train|start"
    r"|launch))?|hit it|send it|do the training|starte? (?:das )?training|training starten|los geht'?s"
    r"|empieza(?:r)? (?:el |a )?entren\w+|lanza(?:r)?(?: el entrenamiento| ya)?|inicia(?:r)? el entrenamiento)\b"
    r"|开始训练|启动训练|开训|开跑"
    r"|^(?:(?:ok(?:ay)?|so|and|i think|alright)[\s,]+)*(?:that'?s (?:it|all|everything)|i'?m done|we'?re done|all done|fertig"
    r"|das war'?s|eso es todo)\W*$"
    r"|^(?:listo|bueno|perfecto|vale|fertig|gut|ready|all set|done|ok(?:ay)?|great|cool)[\s,.!]+(?:empieza|empecemos|adelante|lánzalo"
    r"|dale|start|go"
    r"|begin|los|starte?n?)(?: now| please| jetzt| ya)?\W*$"
)
STATUS = re.compile(
    r"\bhow(?:'s| is| are)? (?:it|the (?:training|run|job)|things|we|my (?:run|training)) ?(?:going|doing|looking"
    r"|coming along|progress\w*)?[\s?!.]*$|\b(?:status|progress)(?: of the (?:run|training))?\s*\??$|\b(?:is it"
    r"|are we|are you) (?:done|finished|ready|still (?:running|training))|\bhow (?:far|much longer|long until"
    r"|many steps)\b.{0,30}\b(?:is it|left|along|now|to go|done|remaining)|\bwhat(?:'s| is) (?:happening"
    r"|the (?:loss|status|progress)(?: now| at)?)\b|\bany (?:news|progress)\b|\bwie (?:läuft|weit)\b|\bcómo va\b"
    r"|\bstand\??$|训练.{0,4}(?:怎么样|进度|到哪|状态)|进度"
)
STOP_KEEP = re.compile(
    r"\b(?:stop|end|finish|halt)\b.{0,24}\b(?:keep|save|use what|with what)|\b(?:stop|end) (?:it |the (?:run"
    r"|training) )?(?:now )?and (?:keep|save)\b|\bsave (?:and|then) stop|\bstop early (?:now|here)|\b(?:good"
    r"|far) enough[\s,]*stop|停(?:下|止|掉)?.{0,10}(?:保留|保存|留着)|stopp\w*.{0,20}(?:behalt|speicher)|(?:para"
    r"|detén).{0,20}(?:guarda|conserva)"
)
STOP = re.compile(
    r"\b(?:cancel|abort|kill|stop|halt|terminate|interrupt)\b(?: (?:the|this|my))?(?: (?:run|training|job|it"
    r"|everything|now|that))*[\s.!]*(?:please|now)?[\s.!]*$|\b(?:abbrechen|stoppen?|halte? an)\b[\s.!]*$|\b(?:para"
    r"|detén|cancela)(?: (?:el|todo|entrenamiento))*[\s.!]*$|^(?:停|停止|取消|停下)(?:训练)?[。.!]*$"
)
COMPARE = re.compile(
    r"^\s*(?:please |can you |now )*(?:compare|try(?: it)?(?: out)?"
    r"|test(?: it)?)\s*(?:the )?(?:base and (?:the )?(?:tuned|fine-?tuned)(?: model)?|both(?: models)?|answers"
    r"|outputs|models|before and after|it)?\s*(?:on|with|for"
    r"|:)\s*(?:the prompt\s*)?:?\s*['\"]?(.{2,2000}?)['\"]?\s*$|^\s*(?:vergleiche?|compara|比较"
    r"|对比)(?:一下)?\s*[:：on ]*\s*(.{2,2000})$",
    re.S | re.I,
)
GREETING = re.compile(
    r"^\s*(?:hi+|hey+(?: there)?|hello+|hiya|howdy|yo+|good (?:morning|afternoon|evening|day)|greetings|sup"
    r"|what'?s up|hallo|guten (?:tag|morgen|abend)|moin|servus|hola|buenas(?: (?:tardes|noches))?|buenos días|你好"
    r"|您好|嗨|哈喽|早上好)(?:\s+(?:there|all|everyone|bot|assistant|friend))?[\s,!.👋🤙]*$"
)
THANKS = re.compile(
    r"^\s*(?:ok(?:ay)?[\s,]+|great[\s,]+|cool[\s,]+|perfect[\s,]+|many )*(?:thanks?(?: you)?(?: (?:a lot|so much"
    r"|very much|a bunch))?|thx|ty|tysm|cheers|much appreciated|danke(?: schön| sehr)?|vielen dank|gracias"
    r"|muchas gracias|谢谢|多谢|感谢)(?:[\s,!.]*(?:that (?:helps|helped).*|man|mate|bro|a lot|for .{0,40}|你|您|了"
    r"|啦)|,? [a-zäöüñáéíóú]{2,12})?[\s!.🙏]*$"
)
BYE = re.compile(
    r"^\s*(?:bye+(?: bye)?|good ?bye|see (?:you|ya)(?: later)?|later|cya|ciao|tschüss|auf wiedersehen|adiós"
    r"|hasta (?:luego|mañana)|再见|拜拜)[\s!.]*$"
)
CAN_DO = re.compile(
    r"\bwhat (?:can|could|do) you (?:do|help|offer)|\bwho are you|\bwhat are you\b|\bhow (?:does this|do you) work"
    r"|\bwhat is this(?: app| tool| thing)?\s*\?*$|^\s*help(?: me)?[\s!.?]*$|\bhow can you help"
    r"|\bwhat'?s? possible here|\bqué puedes hacer|\bwas kannst du|\bwie funktioniert (?:das|dies)|你(?:能|会|可以)(?:做"
    r"|干)(?:什么|啥|些什么)|^帮助$"
)
REPEAT = re.compile(
    r"^\s*(?:what|huh|sorry|pardon|come again|say (?:that )?again|repeat(?: that)?|i don'?t (?:get"
    r"|understand)(?: (?:it|that|you))?|what do you mean|wie bitte|hä|cómo|qué|什么意思|没懂|再说一遍)[\s?!.]*$"
)
OFF = re.compile(
    r"\b(?:weather|joke|poem|song|recipe|cook|football|soccer|movie|film|music|capital of|president|horoscope"
    r"|stock price|bitcoin|translate (?:this|the following)|write (?:me )?(?:an?|my) (?:poem|essay|story|email"
    r"|letter|song|code|script|joke|haiku)|tell me (?:a|about your)|who won|what time is it|what day is"
    r"|your (?:favou?rite|name|age)|are you (?:human|real|alive|a bot|an ai|chatgpt|married)|meaning of life"
    r"|do you (?:love|like|dream|feel|sleep)|how old are you|wetter|witz|gedicht|tiempo (?:hace|en)|chiste"
    r"|poema)\b|天气|笑话|写(?:一)?首诗|讲个|你是谁做的"
)
CHAT = re.compile(
    r"\b(?:you'?re|you are|ur) (?:\w+ )?(?:nice|nicer|great|awesome|funny|cute|smart|stupid|dumb|useless|annoying"
    r"|the best|amazing|helpful|slow|rude|sweet|wonderful)\b|\bi (?:love|hate|like) you\b|\b(?:lol|haha+|lmao|rofl"
    r"|hehe|wow|omg|damn|ugh|meh|nice one|well done|good (?:bot|job))\b[\s!.]*$|^\s*(?:cool|nice|great|awesome"
    r"|amazing|interesting|wow|ok+|okay|hmm+|ah+|oh+|i see|got it|makes sense|understood|alles klar|verstanden"
    r"|entendido|明白|懂了|知道了|哈哈+)[\s!.]*$|^[\s\U0001F300-\U0001FAFF\u2600-\u27BF\ufe0f!.?]+$"
)
