" Talks: transcripts of WebSocket conversations.
if exists('b:current_syntax')
  finish
endif

syntax case match

" What stands first gives way to what stands behind it: `on >` is a rule, and no client called `on`.
syntax match talkWho /^\s*\(all\|others\|\(room\|user\)\s\+\S\+\|\h\w*\)\s\+\ze[<>]/ contains=@talkHoles nextgroup=@talkArrows

syntax match talkHeader /^\s\+[!#$%&'*+.^_`|~0-9A-Za-z-]\+:\ze\(\s\|$\)/ nextgroup=talkValue
syntax match talkValue /.*$/ contained contains=@talkHoles

syntax match talkCapture /^\s\+\h\w*\ze\s*=/ nextgroup=talkCaptured
syntax match talkCaptured /\s*=.*$/ contained contains=talkJsonPath,talkQuery,@talkHoles

syntax match talkDirective /^\s*\(HTTP\|listen\|connect\|option\|set\|tag\|each\|retry\|repeat\|wait\|unordered\|finally\|on\|every\|ignore\)\>/
      \ nextgroup=talkArgument
syntax match talkDirective /^\s*\(\h\w*\s\+\)\?\(silence\|join\|leave\|identify\|keep\)\>/ contains=talkClient nextgroup=talkArgument
syntax match talkClient /\<\h\w*\ze\s\+\(silence\|join\|leave\|identify\|keep\)\>/ contained
syntax match talkArgument /.*$/ contained contains=talkTrigger,talkTime,talkNumber,talkUrl,talkRuleArrow,@talkHoles
syntax match talkTrigger /\<\(connect\|GET\|open\|close\|lost\|per client\|every\|timeout\|strict\|subprotocol\|compression\|refuse\|history\|workers\)\>/ contained
syntax match talkUrl /\(wss\?\|https\?\):\/\/\S*/ contained contains=@talkHoles
syntax match talkRuleArrow /[<>]\(text\|esc\|bin\|hex\|base64\|file\|ping\|pong\|re\|any\)\?\(([^)]*)\)\?\( \|$\)/ contained contains=talkOptions nextgroup=talkPayload
syntax match talkTest /^test\>/ nextgroup=talkTitle
syntax match talkTitle /.*$/ contained

" Who, arrow, kind and options touch; behind one space comes the payload.
syntax match talkArrow /\(^\s*\)\@<=[<>]\(file\|echo\|ping\|pong\|close\|any\|error\|fail\|frame\|drop\|stall\|re\)\?\(([^)]*)\)\?\( \|$\)/
      \ contains=talkOptions nextgroup=talkPayload
syntax match talkLetterArrow /\(^\s*\)\@<=[<>]\(text\|hex\|base64\|raw\)\(([^)]*)\)\?\( \|$\)/ contains=talkOptions nextgroup=talkLetters
syntax match talkEscapeArrow /\(^\s*\)\@<=[<>]\(esc\|bin\)\(([^)]*)\)\?\( \|$\)/ contains=talkOptions nextgroup=talkEscaped
syntax match talkWhoArrow /[<>]\a*\(([^)]*)\)\?\( \|$\)/ contained contains=talkOptions nextgroup=talkPayload
syntax match talkWhoLetterArrow /[<>]\(text\|hex\|base64\|raw\)\(([^)]*)\)\?\( \|$\)/ contained contains=talkOptions nextgroup=talkLetters
syntax match talkWhoEscapeArrow /[<>]\(esc\|bin\)\(([^)]*)\)\?\( \|$\)/ contained contains=talkOptions nextgroup=talkEscaped
syntax cluster talkArrows contains=talkWhoArrow,talkWhoLetterArrow,talkWhoEscapeArrow
syntax match talkOptions /([^)]*)/ contained contains=talkTime,talkNumber
syntax match talkPayload /.*$/ contained contains=@talkHoles
syntax match talkLetters /.*$/ contained
syntax match talkEscaped /.*$/ contained contains=talkEscape
syntax match talkEscape /\\\([nrt\\]\|x\x\{2}\|u{\x\{1,6}}\)/ contained

syntax match talkBar /^\s*|/ nextgroup=talkPayload

syntax region talkHole start=/{{/ end=/}}/ end=/$/ oneline contained contains=talkType,talkString,talkNumber,talkReserved
syntax match talkLiteralHole /{{{{/ contained
syntax cluster talkHoles contains=talkHole,talkLiteralHole
syntax match talkReserved /\<\(message\|client\|server\|load\|env\|global\|uuid\|now\|members\|history\)\>/ contained
syntax match talkType /:\s*\zs\(any\|string\|word\|int\|number\|bool\|uuid\|datetime\|json\|base64\|hex\)\>/ contained
syntax region talkString start=/"/ skip=/\\./ end=/"/ oneline contained
syntax match talkNumber /\<\d\+\(\.\d\+\)\?\>/ contained
syntax match talkTime /\<\d\+\(\.\d\+\)\?\(us\|ms\|s\|m\|h\)\>/ contained

syntax match talkCheck /^\s\+?.*$/ contains=talkCheckSign,talkJsonPath,talkQuery,talkPredicate,talkString,talkNumber,talkTime,@talkHoles
syntax match talkCheckSign /^\s\+?/ contained
syntax match talkJsonPath /\$\([.[]\S*\)\?/ contained
syntax match talkQuery /\<\(text\|size\|latency\|header\|schema\|client\.\w\+\)\>/ contained
syntax match talkPredicate /\<\(not\|startsWith\|endsWith\|contains\|matches\|exists\|isEmpty\|isString\|isNumber\|isInteger\|isBoolean\|isUuid\|count\|isFloat\|isObject\|isList\|isIsoDate\|first\|last\|nth\|split\|replace\|replaceRegex\|regex\|jsonpath\|toInt\|toFloat\|toString\)\>/ contained
syntax match talkPredicate /\s\zs\(==\|!=\|<=\|>=\|<\|>\)\ze\(\s\|$\)/ contained

syntax match talkComment /^\s*#.*$/ contains=@Spell

highlight default link talkComment Comment
highlight default link talkDirective Statement
highlight default link talkTest Statement
highlight default link talkTitle Title
highlight default link talkTrigger Keyword
highlight default link talkUrl Underlined
highlight default link talkWho Identifier
highlight default link talkClient Identifier
highlight default link talkCapture Identifier
highlight default link talkHeader Identifier
highlight default link talkArrow Operator
highlight default link talkLetterArrow Operator
highlight default link talkEscapeArrow Operator
highlight default link talkWhoArrow Operator
highlight default link talkWhoLetterArrow Operator
highlight default link talkWhoEscapeArrow Operator
highlight default link talkRuleArrow Operator
highlight default link talkBar Operator
highlight default link talkOptions PreProc
highlight default link talkPayload String
highlight default link talkLetters String
highlight default link talkEscaped String
highlight default link talkValue String
highlight default link talkEscape SpecialChar
highlight default link talkLiteralHole SpecialChar
highlight default link talkHole Special
highlight default link talkType Type
highlight default link talkReserved Constant
highlight default link talkString String
highlight default link talkNumber Number
highlight default link talkTime Number
highlight default link talkCheckSign Operator
highlight default link talkJsonPath Special
highlight default link talkQuery Keyword
highlight default link talkPredicate Keyword

let b:current_syntax = 'talk'
