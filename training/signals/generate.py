"""Seeded generators for the classes public data lacks: templates × slots × languages.

Every sample carries a `group`: the template it was made from. Splits are by group, so no template is in both parts.
Languages: en zh es de fr ru ja ko pt ar hi.
"""

import random
import re

LANGUAGES = ["en", "zh", "es", "de", "fr", "ru", "ja", "ko", "pt", "ar", "hi"]

FEEDBACK = {
    "satisfied": {
        "en": ["Thanks, that's exactly what I needed.", "Perfect, that worked!", "Great answer, thank you so much.", "Awesome, it runs now.", "That makes sense, thanks.",
               "Yes, that's right. Cheers!", "Wonderful, this solves my problem.", "ok great thx", "You nailed it.", "Brilliant explanation, I finally get it.", "That's very helpful, appreciate it.",
               "Super, all good now.", "Nice, the tests pass.", "Excellent, no further questions.", "Lovely, I'll book that one. Thank you.", "that did the trick, thank you", "Good, that is everything I wanted to know.",
               "Thank you, have a nice day!", "works like a charm", "I'm happy with this, thanks a lot.", "That was quick and accurate, thank you.", "Sounds good, thanks for the help."],
        "zh": ["谢谢,这正是我需要的。", "太好了,问题解决了!", "完美,非常感谢。", "明白了,讲得很清楚。", "很有帮助,谢谢你。", "对,就是这样。", "好的,没问题了。", "回答得真棒!", "现在可以运行了,多谢。", "非常满意,谢谢。"],
        "es": ["Gracias, es justo lo que necesitaba.", "¡Perfecto, funcionó!", "Excelente respuesta, muchas gracias.", "Ahora lo entiendo, gracias.", "Genial, ya está resuelto.", "Muy útil, te lo agradezco.", "Sí, eso es correcto.", "Estupendo, no tengo más preguntas."],
        "de": ["Danke, genau das habe ich gebraucht.", "Perfekt, es funktioniert!", "Super Antwort, vielen Dank.", "Jetzt verstehe ich es, danke.", "Toll, das Problem ist gelöst.", "Sehr hilfreich, danke dir.", "Ja, das stimmt so.", "Wunderbar, keine weiteren Fragen."],
        "fr": ["Merci, c'est exactement ce qu'il me fallait.", "Parfait, ça marche !", "Excellente réponse, merci beaucoup.", "Je comprends maintenant, merci.", "Génial, le problème est résolu.", "Très utile, merci à vous.", "Oui, c'est bien ça.", "Super, plus de questions."],
        "ru": ["Спасибо, это именно то, что нужно.", "Отлично, всё заработало!", "Прекрасный ответ, большое спасибо.", "Теперь понятно, спасибо.", "Супер, проблема решена.", "Очень помогло, благодарю.", "Да, всё верно.", "Замечательно, вопросов больше нет."],
        "ja": ["ありがとう、まさに必要だったものです。", "完璧です、うまくいきました!", "素晴らしい回答をありがとうございます。", "よく分かりました、感謝します。", "助かりました、解決しました。", "はい、その通りです。", "とても役に立ちました。", "もう大丈夫です、ありがとう。"],
        "ko": ["고마워요, 딱 필요한 답이에요.", "완벽해요, 잘 되네요!", "훌륭한 답변 감사합니다.", "이제 이해했어요, 감사합니다.", "해결됐어요, 정말 고마워요.", "네, 맞아요.", "큰 도움이 됐습니다.", "좋아요, 더 질문 없어요."],
        "pt": ["Obrigado, era exatamente o que eu precisava.", "Perfeito, funcionou!", "Ótima resposta, muito obrigada.", "Agora entendi, valeu.", "Excelente, problema resolvido.", "Muito útil, agradeço.", "Sim, está certo.", "Legal, sem mais perguntas."],
        "ar": ["شكراً، هذا بالضبط ما أحتاجه.", "ممتاز، لقد نجح الأمر!", "إجابة رائعة، شكراً جزيلاً.", "فهمت الآن، شكراً.", "تم حل المشكلة، أشكرك.", "مفيد جداً.", "نعم، هذا صحيح.", "جيد، لا أسئلة أخرى."],
        "hi": ["धन्यवाद, मुझे यही चाहिए था।", "बढ़िया, यह काम कर गया!", "बहुत अच्छा उत्तर, धन्यवाद।", "अब समझ आया, शुक्रिया।", "समस्या हल हो गई, आभार।", "बहुत मददगार।", "हाँ, यह सही है।", "ठीक है, और कोई सवाल नहीं।"],
    },
    "need_clarification": {
        "en": ["What do you mean by {x}?", "I don't understand the part about {x}. Can you explain?", "Could you clarify what {x} means here?", "Can you explain that in more detail?", "I'm confused, how does {x} fit in?",
               "Sorry, I didn't get that. Could you elaborate?", "Which {x} are you referring to?", "Can you walk me through it step by step?", "Why does that work? Please explain further.", "huh? what does that mean",
               "Can you give an example so I understand {x}?", "Not sure I follow. How exactly would I do that?", "Could you be more specific about {x}?", "What exactly is {x} in your answer?", "I'm lost after the second step, can you go over it again?",
               "Can you break down {x} for me?", "How did you get from there to {x}?", "Is {x} the same thing as before, or something else?"],
        "zh": ["你说的{x}是什么意思?", "我不太明白,能解释一下吗?", "能再详细说明一下{x}吗?", "我有点糊涂,能举个例子吗?", "没看懂,请再讲清楚一点。", "这里的{x}具体指什么?", "能一步一步解释吗?", "为什么是这样?请进一步说明。"],
        "es": ["¿Qué quieres decir con {x}?", "No entiendo, ¿puedes explicarlo?", "¿Podrías aclarar lo de {x}?", "Estoy confundido, ¿me das un ejemplo?", "¿Puedes explicarlo paso a paso?", "¿A qué te refieres exactamente?", "No me queda claro, ¿puedes dar más detalles?"],
        "de": ["Was meinst du mit {x}?", "Das verstehe ich nicht, kannst du es erklären?", "Könntest du {x} genauer erläutern?", "Ich bin verwirrt, hast du ein Beispiel?", "Kannst du das Schritt für Schritt erklären?", "Worauf beziehst du dich genau?", "Mir ist das nicht klar, bitte mehr Details."],
        "fr": ["Que veux-tu dire par {x} ?", "Je ne comprends pas, peux-tu expliquer ?", "Pourriez-vous préciser {x} ?", "Je suis perdu, tu as un exemple ?", "Peux-tu expliquer étape par étape ?", "À quoi faites-vous référence exactement ?", "Ce n'est pas clair, plus de détails s'il te plaît."],
        "ru": ["Что вы имеете в виду под «{x}»?", "Не понимаю, можете объяснить?", "Уточните, пожалуйста, про {x}.", "Я запутался, приведите пример.", "Можете объяснить по шагам?", "О чём именно идёт речь?", "Мне не ясно, расскажите подробнее."],
        "ja": ["{x}とはどういう意味ですか?", "よく分かりません、説明してもらえますか?", "{x}についてもう少し詳しく教えてください。", "混乱しています、例を挙げてください。", "順を追って説明してもらえますか?", "具体的に何を指していますか?", "もっと詳しくお願いします。"],
        "ko": ["{x}가 무슨 뜻인가요?", "이해가 안 돼요, 설명해 주실래요?", "{x}에 대해 더 자세히 알려 주세요.", "헷갈려요, 예를 들어 주세요.", "단계별로 설명해 줄 수 있나요?", "정확히 무엇을 말하는 건가요?", "좀 더 구체적으로 말해 주세요."],
        "pt": ["O que você quer dizer com {x}?", "Não entendi, pode explicar?", "Poderia esclarecer a parte sobre {x}?", "Estou confuso, tem um exemplo?", "Pode explicar passo a passo?", "A que exatamente você se refere?", "Não ficou claro, dê mais detalhes."],
        "ar": ["ماذا تقصد بـ {x}؟", "لم أفهم، هل يمكنك الشرح؟", "هل يمكنك توضيح {x}؟", "أنا مرتبك، أعطني مثالاً.", "هل يمكنك الشرح خطوة بخطوة؟", "إلى ماذا تشير بالضبط؟", "هذا غير واضح، أريد تفاصيل أكثر."],
        "hi": ["{x} से आपका क्या मतलब है?", "मुझे समझ नहीं आया, समझा सकते हैं?", "क्या आप {x} को और स्पष्ट करेंगे?", "मैं उलझन में हूँ, एक उदाहरण दें।", "क्या आप इसे चरण दर चरण समझा सकते हैं?", "आप ठीक किसकी बात कर रहे हैं?", "स्पष्ट नहीं है, और विस्तार से बताइए।"],
    },
    "wrong_answer": {
        "en": ["That's wrong.", "No, {x} is not correct.", "You made a mistake, check {x} again.", "This is incorrect, it should be different.", "That doesn't work, I still get an error.", "Your answer is wrong about {x}.", "nope, not true",
               "That's not what the data says. You got {x} wrong.", "I tried it and it fails.", "The result is off, recalculate.", "You misunderstood: I asked about {x}.", "That is false, {x} never happened.", "Incorrect. The right value is something else.",
               "The code you gave me crashes.", "You're contradicting yourself, that can't be right.", "This link is broken and the facts are wrong.", "no that is the wrong {x}", "I don't think that's accurate at all.", "You keep giving me the wrong {x}."],
        "zh": ["不对,这是错的。", "你的答案不正确。", "{x}说错了,请再检查一下。", "我试了,不行,还是报错。", "结果有误,重新算。", "你理解错了,我问的是{x}。", "这不是事实。", "代码运行失败了,你给错了。"],
        "es": ["Eso está mal.", "No, {x} no es correcto.", "Te equivocaste, revísalo.", "Eso no funciona, sigue dando error.", "Tu respuesta es incorrecta.", "Lo probé y falla.", "Entendiste mal, pregunté por {x}.", "Eso es falso."],
        "de": ["Das ist falsch.", "Nein, {x} stimmt nicht.", "Du hast einen Fehler gemacht, prüf das nochmal.", "Das funktioniert nicht, es kommt immer noch ein Fehler.", "Deine Antwort ist inkorrekt.", "Ich habe es probiert, es klappt nicht.", "Du hast mich falsch verstanden, ich meinte {x}.", "Das ist nicht wahr."],
        "fr": ["C'est faux.", "Non, {x} n'est pas correct.", "Tu t'es trompé, vérifie.", "Ça ne marche pas, j'ai encore une erreur.", "Ta réponse est incorrecte.", "J'ai essayé et ça échoue.", "Vous avez mal compris, je parlais de {x}.", "Ce n'est pas vrai."],
        "ru": ["Это неправильно.", "Нет, {x} — неверно.", "Вы ошиблись, проверьте ещё раз.", "Не работает, всё равно ошибка.", "Ваш ответ неверен.", "Я попробовал, не получается.", "Вы не так поняли, я спрашивал про {x}.", "Это неправда."],
        "ja": ["それは間違いです。", "いいえ、{x}は正しくありません。", "間違っています、もう一度確認してください。", "動きません、まだエラーが出ます。", "答えが違います。", "試しましたが失敗しました。", "誤解しています、{x}について聞いたのです。", "それは事実ではありません。"],
        "ko": ["틀렸어요.", "아니요, {x}는 맞지 않아요.", "실수했네요, 다시 확인해 주세요.", "안 돼요, 여전히 오류가 나요.", "답이 잘못됐어요.", "해 봤는데 실패했어요.", "잘못 이해했어요, {x}를 물어본 거예요.", "그건 사실이 아니에요."],
        "pt": ["Isso está errado.", "Não, {x} não está correto.", "Você errou, verifique de novo.", "Não funciona, continua dando erro.", "Sua resposta está incorreta.", "Eu tentei e falhou.", "Você entendeu mal, perguntei sobre {x}.", "Isso é falso."],
        "ar": ["هذا خطأ.", "لا، {x} غير صحيح.", "لقد أخطأت، تحقق مرة أخرى.", "لا يعمل، ما زال هناك خطأ.", "إجابتك غير صحيحة.", "جربته وفشل.", "لقد أسأت الفهم، سألت عن {x}.", "هذا ليس صحيحاً."],
        "hi": ["यह गलत है।", "नहीं, {x} सही नहीं है।", "आपसे गलती हुई, फिर से जाँचें।", "यह काम नहीं करता, अब भी त्रुटि आ रही है।", "आपका उत्तर गलत है।", "मैंने कोशिश की, यह विफल रहा।", "आपने गलत समझा, मैंने {x} पूछा था।", "यह सच नहीं है।"],
    },
    "want_different": {
        "en": ["Can you give me a different {x}?", "Show me another option.", "I'd prefer something else.", "Try a different approach please.", "Could you rewrite it in another style?", "Any alternatives to {x}?", "Give me other suggestions.", "Do it again but shorter.",
               "Make it more formal instead.", "I don't like this one, something new please.", "Let's go with a different {x}.", "Can you use another {x} instead?", "What else do you have?", "Change it to something cheaper.", "Not that one, is there one in another area?",
               "regenerate", "Another version, please, less technical.", "Could you suggest a {x} other than that?", "I want a second option for {x}."],
        "zh": ["能换一个{x}吗?", "给我另一个方案。", "我想要别的。", "换一种方法试试。", "能用另一种风格重写吗?", "还有其他选择吗?", "再来一个,短一点。", "我不喜欢这个,换新的。"],
        "es": ["¿Puedes darme otro {x}?", "Muéstrame otra opción.", "Prefiero algo diferente.", "Prueba otro enfoque.", "¿Puedes reescribirlo en otro estilo?", "¿Hay alternativas?", "Otra versión, más corta.", "No me gusta, dame algo nuevo."],
        "de": ["Kannst du mir ein anderes {x} geben?", "Zeig mir eine andere Option.", "Ich hätte lieber etwas anderes.", "Versuch einen anderen Ansatz.", "Kannst du es in einem anderen Stil schreiben?", "Gibt es Alternativen?", "Noch eine Version, kürzer bitte.", "Das gefällt mir nicht, etwas Neues bitte."],
        "fr": ["Peux-tu me donner un autre {x} ?", "Montre-moi une autre option.", "Je préfère autre chose.", "Essaie une autre approche.", "Peux-tu le réécrire dans un autre style ?", "Y a-t-il des alternatives ?", "Une autre version, plus courte.", "Je n'aime pas, propose du nouveau."],
        "ru": ["Можно другой вариант {x}?", "Покажите другой вариант.", "Я бы предпочёл что-то другое.", "Попробуйте другой подход.", "Перепишите в другом стиле.", "Есть альтернативы?", "Ещё одну версию, покороче.", "Мне не нравится, дайте новое."],
        "ja": ["別の{x}をください。", "他の選択肢を見せてください。", "違うものがいいです。", "別の方法を試してください。", "別のスタイルで書き直してください。", "代わりの案はありますか?", "もう一つ、短めでお願いします。", "これは好みではないので新しいのを。"],
        "ko": ["다른 {x}를 주세요.", "다른 옵션을 보여 주세요.", "다른 게 좋겠어요.", "다른 방법으로 해 보세요.", "다른 스타일로 다시 써 주세요.", "대안이 있나요?", "하나 더, 더 짧게 해 주세요.", "마음에 안 들어요, 새로운 걸로 주세요."],
        "pt": ["Pode me dar outro {x}?", "Mostre outra opção.", "Prefiro algo diferente.", "Tente outra abordagem.", "Pode reescrever em outro estilo?", "Há alternativas?", "Outra versão, mais curta.", "Não gostei, quero algo novo."],
        "ar": ["هل يمكنك إعطائي {x} آخر؟", "أرني خياراً آخر.", "أفضل شيئاً مختلفاً.", "جرب طريقة أخرى.", "هل يمكنك إعادة كتابته بأسلوب آخر؟", "هل هناك بدائل؟", "نسخة أخرى أقصر من فضلك.", "لا يعجبني، أريد شيئاً جديداً."],
        "hi": ["क्या आप कोई दूसरा {x} दे सकते हैं?", "मुझे दूसरा विकल्प दिखाइए।", "मुझे कुछ और चाहिए।", "कोई दूसरा तरीका आज़माइए।", "इसे दूसरी शैली में लिखिए।", "क्या और विकल्प हैं?", "एक और संस्करण, छोटा।", "मुझे पसंद नहीं, कुछ नया दीजिए।"],
    },
}
FEEDBACK_SLOTS = {
    "en": ["the formula", "restaurant", "the second step", "that function", "the date", "recipe", "the price", "name", "hotel", "this paragraph", "the loop", "solution", "title", "the author", "flight", "translation", "city", "the index"],
    "zh": ["公式", "餐厅", "第二步", "这个函数", "日期", "食谱", "价格", "名字", "酒店"], "es": ["fórmula", "restaurante", "paso", "función", "título", "precio", "hotel"],
    "de": ["Beispiel", "Restaurant", "Rezept", "Hotel", "Ergebnis", "Datum", "Wort"], "fr": ["restaurant", "exemple", "titre", "prix", "hôtel", "résultat", "mot"],
    "ru": ["формула", "ресторан", "шаг", "функция", "дата", "цена", "отель"], "ja": ["数式", "レストラン", "手順", "関数", "日付", "値段", "ホテル"], "ko": ["공식", "식당", "단계", "함수", "날짜", "가격", "호텔"],
    "pt": ["exemplo", "restaurante", "título", "preço", "hotel", "resultado", "código"], "ar": ["مثال", "مطعم", "عنوان", "سعر", "فندق", "رمز", "تاريخ"], "hi": ["सूत्र", "रेस्तराँ", "नाम", "फ़ंक्शन", "तारीख", "मूल्य", "होटल"],
}
LEAD = {"en": ["", "", "", "Hmm, ", "ok, ", "well, ", "Sorry but ", "Actually, ", "Hi again. "], "zh": ["", "", "嗯,", "好吧,"], "es": ["", "", "Mmm, ", "Bueno, "], "de": ["", "", "Hm, ", "Na ja, "], "fr": ["", "", "Euh, ", "Bon, "],
        "ru": ["", "", "Хм, ", "Ну, "], "ja": ["", "", "うーん、", "ええと、"], "ko": ["", "", "음, ", "저기, "], "pt": ["", "", "Hum, ", "Bom, "], "ar": ["", "", "حسناً، "], "hi": ["", "", "अच्छा, ", "हम्म, "]}


def lower_first(text):
    """Lower-cases the first letter when a lead-in precedes it."""
    return text[:1].lower() + text[1:]


def feedback(rng, count):
    """(text, label, language, group) of `count` user reactions."""
    out = []
    labels = list(FEEDBACK)
    for _ in range(count):
        label = rng.choice(labels)
        lang = rng.choice(LANGUAGES) if rng.random() < 0.6 else "en"
        index = rng.randrange(len(FEEDBACK[label][lang]))
        text = FEEDBACK[label][lang][index].replace("{x}", rng.choice(FEEDBACK_SLOTS[lang]))
        lead = rng.choice(LEAD[lang])
        if lead and lang == "en" and not text.startswith(("I ", "I'", "DAN")):
            text = lower_first(text)
        text = lead + text
        if rng.random() < 0.35:
            other = rng.randrange(len(FEEDBACK[label][lang]))
            if group_dev(f"fb:{label}:{lang}:{other}") == group_dev(f"fb:{label}:{lang}:{index}"):
                text += " " + FEEDBACK[label][lang][other].replace("{x}", rng.choice(FEEDBACK_SLOTS[lang]))
        out.append((noise(text, rng), label, lang, f"fb:{label}:{lang}:{index}"))
    return out


def noise(text, rng):
    """Lower-casing, dropped punctuation, doubled punctuation: how people type."""
    roll = rng.random()
    if roll < 0.15:
        return text.lower()
    if roll < 0.25:
        return text.rstrip(".。!?？！")
    if roll < 0.3:
        return text + "!"
    return text


def group_dev(group):
    """True when a template belongs to the development part."""
    import hashlib
    return int(hashlib.sha256(group.encode()).hexdigest()[:8], 16) % 5 == 0


DRAW = {
    "en": ["Draw me {c}", "Draw {c}", "Please generate an image of {c}", "Create a picture of {c}", "Make an illustration showing {c}", "I'd like a painting of {c}", "Can you sketch {c} for me?", "paint {c}, oil on canvas, highly detailed", "Generate a photo of {c}",
           "Render {c} in 4k, cinematic lighting", "Design a poster with {c}", "Produce a watercolor of {c}", "Give me a photorealistic image: {c}", "Could you make a logo that shows {c}?", "{c}, digital art, trending on artstation", "Visualize {c} as an image",
           "I need an image of {c} for my blog", "Imagine and draw {c}", "Make me a wallpaper with {c}", "Create a short video clip of {c}", "text to image: {c}", "illustrate {c} in anime style"],
    "zh": ["画一张{c}的图片", "请生成一幅图像:{c}", "帮我画{c}", "给我一张{c}的照片", "制作一张{c}的海报", "用水彩画风格画{c}"],
    "es": ["Dibújame {c}", "Genera una imagen de {c}", "Crea una ilustración de {c}", "Quiero un cuadro de {c}", "Haz una foto realista de {c}"],
    "de": ["Zeichne mir {c}", "Erstelle ein Bild von {c}", "Generiere ein Foto von {c}", "Male {c} im Aquarellstil", "Ich möchte eine Illustration von {c}"],
    "fr": ["Dessine-moi {c}", "Génère une image de {c}", "Crée une illustration de {c}", "Je voudrais une peinture de {c}", "Fais une photo réaliste de {c}"],
    "ru": ["Нарисуй {c}", "Сгенерируй изображение: {c}", "Создай картинку с {c}", "Сделай иллюстрацию: {c}", "Хочу фото: {c}"],
    "ja": ["{c}の絵を描いて", "{c}の画像を生成してください", "{c}のイラストを作って", "{c}の写真風画像が欲しい"],
    "ko": ["{c} 그림을 그려줘", "{c} 이미지를 생성해 주세요", "{c} 일러스트를 만들어줘", "{c} 사진을 만들어 주세요"],
    "pt": ["Desenhe {c}", "Gere uma imagem de {c}", "Crie uma ilustração de {c}", "Quero uma pintura de {c}", "Faça uma foto realista de {c}"],
    "ar": ["ارسم لي {c}", "أنشئ صورة {c}", "أريد لوحة فنية {c}", "صمم رسماً توضيحياً {c}"],
    "hi": ["{c} का चित्र बनाओ", "{c} की तस्वीर बनाइए", "मुझे {c} की एक पेंटिंग चाहिए", "{c} की छवि उत्पन्न करें"],
}
SCENES = {
    "zh": ["一只在月光下奔跑的狐狸", "海边的日落", "戴帽子的猫", "未来城市的街道", "雪山和湖泊", "一座古老的寺庙", "喝咖啡的机器人", "樱花树下的少女"], "es": ["un zorro corriendo bajo la luna", "un atardecer en la playa", "un gato con sombrero", "una ciudad futurista", "montañas nevadas y un lago", "un robot tomando café", "un castillo antiguo"],
    "de": ["einen Fuchs im Mondlicht", "einen Sonnenuntergang am Meer", "eine Katze mit Hut", "eine futuristische Stadt", "verschneite Berge und einen See", "einen Roboter beim Kaffeetrinken"], "fr": ["un renard sous la lune", "un coucher de soleil sur la plage", "un chat avec un chapeau", "une ville futuriste", "des montagnes enneigées et un lac", "un robot qui boit du café"],
    "ru": ["лиса, бегущая под луной", "закат на берегу моря", "кот в шляпе", "город будущего", "заснеженные горы и озеро", "робот пьёт кофе"], "ja": ["月明かりの下を走る狐", "海辺の夕日", "帽子をかぶった猫", "未来都市の街並み", "雪山と湖", "コーヒーを飲むロボット"],
    "ko": ["달빛 아래 달리는 여우", "해변의 노을", "모자를 쓴 고양이", "미래 도시의 거리", "눈 덮인 산과 호수", "커피를 마시는 로봇"], "pt": ["uma raposa sob a lua", "um pôr do sol na praia", "um gato de chapéu", "uma cidade futurista", "montanhas nevadas e um lago", "um robô tomando café"],
    "ar": ["ثعلب يركض تحت ضوء القمر", "غروب الشمس على الشاطئ", "قطة ترتدي قبعة", "مدينة مستقبلية", "جبال ثلجية وبحيرة", "روبوت يشرب القهوة"], "hi": ["चाँदनी में दौड़ती लोमड़ी", "समुद्र किनारे सूर्यास्त", "टोपी पहने बिल्ली", "भविष्य का शहर", "बर्फीले पहाड़ और झील", "कॉफ़ी पीता रोबोट"],
}
ALSO_TEXT = {
    "en": ["{d} and explain {t}", "Explain {t} and {D}", "{d}, and also write a paragraph about {t}", "Write a story about {t} with an illustration of {c}", "Describe {t} and include a picture of {c}", "{d} with a caption and a short explanation of {t}", "Give me a tutorial on {t} and generate a diagram of {c}",
           "Tell me about {t}, then {D}", "Write a blog post on {t} and create a matching header image showing {c}", "First summarise {t}, then {D}", "I need both text about {t} and an image of {c}"],
    "zh": ["解释{t},并{d}", "{d},同时写一段关于{t}的文字", "写一篇关于{t}的文章并配一张{c}的插图"], "es": ["Explica {t} y {D}", "{d} y escribe un párrafo sobre {t}", "Escribe un cuento sobre {t} con una ilustración de {c}"],
    "de": ["Erkläre {t} und {D}", "{d} und schreibe einen Absatz über {t}", "Schreibe eine Geschichte über {t} mit einer Illustration: {c}"], "fr": ["Explique {t} et {D}", "{d} et écris un paragraphe sur {t}", "Écris une histoire sur {t} avec une illustration de {c}"],
    "ru": ["Объясни {t} и {D}", "{d} и напиши абзац про {t}", "Напиши рассказ про {t} с иллюстрацией: {c}"], "ja": ["{t}を説明して、{d}", "{d}。さらに{t}について文章も書いて", "{t}の記事を書いて、{c}の挿絵も付けて"], "ko": ["{t}를 설명하고 {d}", "{d} 그리고 {t}에 대한 글도 써줘", "{t}에 대한 글을 쓰고 {c} 삽화도 넣어줘"],
    "pt": ["Explique {t} e {D}", "{d} e escreva um parágrafo sobre {t}", "Escreva um conto sobre {t} com uma ilustração de {c}"], "ar": ["اشرح {t} و{d}", "{d} واكتب فقرة عن {t}", "اكتب قصة عن {t} مع رسم {c}"], "hi": ["{t} समझाइए और {d}", "{d} और {t} पर एक अनुच्छेद लिखिए", "{t} पर कहानी लिखिए और {c} का चित्र भी बनाइए"],
}
TOPICS = {
    "en": ["photosynthesis", "the French Revolution", "how neural networks learn", "inflation", "plate tectonics", "the water cycle", "black holes", "supply and demand", "renaissance art", "quicksort", "the immune system", "coffee brewing", "electric cars", "machine translation", "vitamin D", "contract law", "Kant's ethics", "blockchain", "volcanoes", "sleep"],
    "zh": ["光合作用", "法国大革命", "神经网络", "通货膨胀", "黑洞", "水循环", "免疫系统", "合同法"], "es": ["la fotosíntesis", "la Revolución francesa", "las redes neuronales", "la inflación", "los agujeros negros", "el ciclo del agua"], "de": ["die Photosynthese", "die Französische Revolution", "neuronale Netze", "Inflation", "schwarze Löcher", "den Wasserkreislauf"],
    "fr": ["la photosynthèse", "la Révolution française", "les réseaux de neurones", "l'inflation", "les trous noirs", "le cycle de l'eau"], "ru": ["фотосинтез", "Французскую революцию", "нейронные сети", "инфляцию", "чёрные дыры", "круговорот воды"], "ja": ["光合成", "フランス革命", "ニューラルネットワーク", "インフレ", "ブラックホール", "水の循環"],
    "ko": ["광합성", "프랑스 혁명", "신경망", "인플레이션", "블랙홀", "물의 순환"], "pt": ["a fotossíntese", "a Revolução Francesa", "as redes neurais", "a inflação", "os buracos negros", "o ciclo da água"], "ar": ["التمثيل الضوئي", "الثورة الفرنسية", "الشبكات العصبية", "التضخم", "الثقوب السوداء", "دورة الماء"], "hi": ["प्रकाश संश्लेषण", "फ्रांसीसी क्रांति", "न्यूरल नेटवर्क", "मुद्रास्फीति", "ब्लैक होल", "जल चक्र"],
}
# Requests about pictures, drawing and film that want text: hard negatives for DIFFUSION.
ABOUT_IMAGES = {
    "en": ["How do I draw {t} conclusions from a data set?", "Explain how image generation models work", "What does a picture of {c} symbolise in art history?", "Write a function that draws a rectangle", "Describe the painting technique used for {t}", "Draw a comparison between {t} and {u}", "Paint me a picture in words of {t}",
           "Write a description of {c}", "What camera settings should I use to photograph {c}?", "Summarise the film about {t}", "Draw up a contract about {t}", "How can I resize an image in Python?", "Give me the history of photography and {t}", "Generate a list of ideas about {t}", "Create a table of facts about {t}",
           "Write a poem about {c}", "Design a database schema for {t}", "Sketch an argument for {t}", "Which artist painted {c}?", "What is in this image?", "Illustrate {t} with an example sentence"],
    "zh": ["图像生成模型是如何工作的?", "描述一下{t}", "写一首关于{c}的诗", "谁画了《蒙娜丽莎》?", "如何用Python调整图片大小?"], "es": ["Explica cómo funcionan los modelos de imágenes", "Escribe un poema sobre {c}", "Describe {t}", "¿Quién pintó el Guernica?"], "de": ["Erkläre, wie Bildgeneratoren funktionieren", "Schreibe ein Gedicht über {t}", "Beschreibe {t}", "Wer malte die Mona Lisa?"],
    "fr": ["Explique comment marchent les générateurs d'images", "Écris un poème sur {t}", "Décris {t}", "Qui a peint la Joconde ?"], "ru": ["Объясни, как работают генераторы изображений", "Напиши стихотворение про {t}", "Опиши {t}", "Кто написал Мону Лизу?"], "ja": ["画像生成モデルの仕組みを説明して", "{t}について詩を書いて", "モナリザを描いたのは誰ですか?"], "ko": ["이미지 생성 모델은 어떻게 작동하나요?", "{t}에 대한 시를 써줘", "모나리자를 그린 사람은 누구인가요?"],
    "pt": ["Explique como funcionam os geradores de imagens", "Escreva um poema sobre {t}", "Descreva {t}", "Quem pintou a Mona Lisa?"], "ar": ["اشرح كيف تعمل نماذج توليد الصور", "اكتب قصيدة عن {t}", "من رسم الموناليزا؟"], "hi": ["इमेज जनरेशन मॉडल कैसे काम करते हैं?", "{t} पर कविता लिखिए", "मोना लिसा किसने बनाई?"],
}
ASK_TEXT = {
    "zh": ["什么是{t}?", "请总结{t}", "比较{t}和{u}", "写一篇关于{t}的短文", "如何学习{t}?"], "es": ["¿Qué es {t}?", "Resume {t}", "Compara {t} y {u}", "Escribe un ensayo sobre {t}"], "de": ["Was weißt du über {t}?", "Fasse {t} zusammen", "Vergleiche {t} und {u}", "Schreibe einen Aufsatz über {t}"], "fr": ["Que sais-tu sur {t} ?", "Résume {t}", "Compare {t} et {u}", "Écris un essai sur {t}"],
    "ru": ["Расскажи про {t}", "Кратко опиши {t}", "Сравни {t} и {u}", "Напиши эссе про {t}"], "ja": ["{t}とは何ですか?", "{t}を要約して", "{t}と{u}を比較して", "{t}についてエッセイを書いて"], "ko": ["{t}란 무엇인가요?", "{t}를 요약해줘", "{t}와 {u}를 비교해줘"], "pt": ["O que é {t}?", "Resuma {t}", "Compare {t} e {u}"], "ar": ["ما هو {t}؟", "لخص {t}", "قارن بين {t} و{u}"], "hi": ["{t} क्या है?", "{t} का सारांश दीजिए", "{t} और {u} की तुलना कीजिए"],
    "en": ["What is {t}?", "Summarise {t} in three sentences", "Compare {t} and {u}", "Write an essay about {t}", "How do I learn about {t}?"],
}


def modality(rng, count, captions):
    """(text, label, language, group): DIFFUSION wants a picture, BOTH a picture and text, AR (hard negatives) text only."""
    out = []
    for _ in range(count):
        label = rng.choices(["DIFFUSION", "BOTH", "AR"], [4, 3, 4])[0]
        lang = rng.choice(LANGUAGES) if rng.random() < 0.5 else "en"
        caption = rng.choice(captions) if lang == "en" else rng.choice(SCENES[lang])
        if lang == "en" and rng.random() < 0.7:
            caption = lower_first(caption.rstrip("."))
        topic, second = rng.sample(TOPICS[lang], 2)
        index = rng.randrange(len(DRAW[lang]))
        draw = DRAW[lang][index].replace("{c}", caption)
        if label == "DIFFUSION":
            text, group = draw, f"draw:{lang}:{index}"
        elif label == "BOTH":
            same = [i for i in range(len(ALSO_TEXT[lang])) if True]
            index = rng.choice(same)
            text = ALSO_TEXT[lang][index].replace("{d}", draw).replace("{D}", lower_first(draw)).replace("{t}", topic).replace("{c}", caption)
            group = f"both:{lang}:{index}"
        else:
            bank, name = (ABOUT_IMAGES, "about") if rng.random() < 0.6 else (ASK_TEXT, "ask")
            index = rng.randrange(len(bank[lang]))
            text = bank[lang][index].replace("{t}", topic).replace("{u}", second).replace("{c}", caption)
            group = f"{name}:{lang}:{index}"
        out.append((noise(text, rng), label, lang, group))
    return out


FACT = {
    "need": {
        "en": ["Who invented {t}?", "When was {t} first described?", "How many people are affected by {t}?", "In which year did research on {t} start?", "Is it true that {t} was banned in 1998?", "What is the population of {p}?", "Who is the president of {p}?", "What year did {p} become independent?", "How tall is the highest mountain in {p}?",
               "Which countries border {p}?", "What is the capital of {p}?", "Tell me the GDP of {p} last year", "Did {p} win the world cup in 2010?", "List three documented causes of {t}", "What is the currency used in {p}?", "What did studies find about {t}?"],
        "zh": ["{p}的首都是哪里?", "谁发明了{t}?", "{p}有多少人口?", "{p}哪一年独立?", "{p}的总统是谁?"], "es": ["¿Cuál es la capital de {p}?", "¿Quién descubrió {t}?", "¿Cuántos habitantes tiene {p}?", "¿En qué año se independizó {p}?"], "de": ["Was ist die Hauptstadt von {p}?", "Wer entdeckte {t}?", "Wie viele Einwohner hat {p}?", "Wann wurde {p} unabhängig?"],
        "fr": ["Quelle est la capitale de {p} ?", "Qui a découvert {t} ?", "Combien d'habitants compte {p} ?", "En quelle année {p} est-il devenu indépendant ?"], "ru": ["Какая столица страны {p}?", "Кто открыл {t}?", "Сколько жителей в стране {p}?", "В каком году {p} получила независимость?"], "ja": ["{p}の首都はどこですか?", "{t}を発見したのは誰?", "{p}の人口は?", "{p}はいつ独立しましたか?"],
        "ko": ["{p}의 수도는 어디인가요?", "{t}를 발견한 사람은 누구인가요?", "{p}의 인구는 몇 명인가요?"], "pt": ["Qual é a capital de {p}?", "Quem descobriu {t}?", "Quantos habitantes tem {p}?", "Em que ano {p} ficou independente?"], "ar": ["ما هي عاصمة {p}؟", "من اكتشف {t}؟", "كم عدد سكان {p}؟"], "hi": ["{p} की राजधानी क्या है?", "{t} की खोज किसने की?", "{p} की जनसंख्या कितनी है?"],
    },
    "none": {
        "en": ["Write a poem about {t}", "Tell me a joke about {t}", "Brainstorm five names for a company about {t}", "Write a Python function that sorts a list", "Translate 'good morning' into French", "Pretend you are a pirate from {p} and greet me", "Rewrite this sentence to be more polite: give me the report", "Solve 3x + 7 = 22", "Write a short story set in {p}",
               "Help me plan my birthday party", "What do you think about {t}?", "Compose an email to my boss asking for a day off", "Fix the bug in this code: for i in range(10) print(i)", "Summarise the following text: the meeting was moved to Tuesday", "Give me a motivational quote", "Let's play a word game", "Write a slogan for a trip to {p}", "Set a timer for ten minutes", "Invent a recipe with what is in my fridge: eggs and rice"],
        "zh": ["写一首关于{t}的诗", "给我讲个笑话", "帮我写一封请假邮件", "写一个排序函数", "解方程 2x+3=11", "帮我润色这句话:我很高兴"], "es": ["Escribe un poema sobre {t}", "Cuéntame un chiste", "Escribe un correo para pedir vacaciones", "Escribe una función que ordene una lista", "Resuelve 2x+3=11"], "de": ["Schreibe ein Gedicht über {t}", "Erzähl mir einen Witz", "Schreibe eine E-Mail, um Urlaub zu bitten", "Schreibe eine Sortierfunktion", "Löse 2x+3=11"],
        "fr": ["Écris un poème sur {t}", "Raconte-moi une blague", "Écris un mail pour demander un congé", "Écris une fonction de tri", "Résous 2x+3=11"], "ru": ["Напиши стихотворение про {t}", "Расскажи анекдот", "Напиши письмо с просьбой об отпуске", "Напиши функцию сортировки", "Реши 2x+3=11"], "ja": ["{t}について詩を書いて", "冗談を言って", "休暇をお願いするメールを書いて", "並べ替え関数を書いて", "2x+3=11を解いて"],
        "ko": ["{t}에 대한 시를 써줘", "농담 하나 해줘", "휴가를 요청하는 이메일을 써줘", "정렬 함수를 작성해줘"], "pt": ["Escreva um poema sobre {t}", "Conte uma piada", "Escreva um e-mail pedindo férias", "Escreva uma função de ordenação", "Resolva 2x+3=11"], "ar": ["اكتب قصيدة عن {t}", "احك لي نكتة", "اكتب بريداً لطلب إجازة", "اكتب دالة للترتيب"], "hi": ["{t} पर कविता लिखिए", "एक चुटकुला सुनाइए", "छुट्टी के लिए ईमेल लिखिए", "एक सॉर्ट फ़ंक्शन लिखिए"],
    },
}
PLACES = {
    "en": ["Kenya", "Portugal", "Vietnam", "Bolivia", "Iceland", "Finland", "Chile", "Morocco", "Nepal", "Canada"], "zh": ["肯尼亚", "葡萄牙", "越南", "冰岛", "智利"], "es": ["Kenia", "Portugal", "Vietnam", "Islandia", "Chile"], "de": ["Kenia", "Portugal", "Vietnam", "Island", "Chile"], "fr": ["Kenya", "Portugal", "Vietnam", "Chili"], "ru": ["Кения", "Португалия", "Вьетнам", "Исландия"],
    "ja": ["ケニア", "ポルトガル", "ベトナム", "チリ"], "ko": ["케냐", "포르투갈", "베트남", "칠레"], "pt": ["Quênia", "Portugal", "Vietnã", "Chile"], "ar": ["كينيا", "البرتغال", "فيتنام", "تشيلي"], "hi": ["केन्या", "पुर्तगाल", "वियतनाम", "चिली"],
}


def fact_check(rng, count):
    """(text, needed?, language, group)."""
    out = []
    for _ in range(count):
        need = rng.random() < 0.5
        lang = rng.choice(LANGUAGES) if rng.random() < 0.65 else "en"
        bank = FACT["need" if need else "none"][lang]
        index = rng.randrange(len(bank))
        text = bank[index].replace("{t}", rng.choice(TOPICS[lang])).replace("{p}", rng.choice(PLACES[lang]))
        out.append((noise(text, rng), need, lang, f"fact:{need}:{lang}:{index}"))
    return out


FIRST_REWRITES = 14
REWRITE = ["hey, quick question about my homework: {s}", "I was wondering, {s}", "Can you help me understand this? {s}", "My teacher asked us: {s} I have no clue.", "So I'm studying for an exam and got stuck on this: {s}", "{s} Please explain like I'm new to it.", "Hi! Could you walk me through this one? {s} Thanks!",
           "A friend told me something about this and I'd like to know: {s}", "ok so {s}", "I'm preparing a presentation. {s}", "Not sure where to start with this: {s} Any hints?", "yesterday at work we argued about this, who is right? {s}", "please answer briefly: {s}", "{s} I need it for a report due tomorrow.",
           "{s}", "Hello! {s}", "can someone tell me this: {s}", "{s} thanks in advance", "I've got a test tomorrow. {s}", "My boss wants to know this by noon: {s}", "Trying to settle a bet here. {s}", "umm {s} ??", "I read the chapter twice and still don't get it. {s}", "{s} And why is that?", "Let's think about this one together: {s}", "As a beginner I'd like to ask: {s}", "My daughter asked me over dinner, {s}", "Do you happen to know? {s}", "This came up in a podcast. {s}", "Give me a hint please. {s}", "{s} I'd like the reasoning too, not only the result.", "could u answer this for me plz: {s}", "I keep mixing things up. {s}", "Here's what my flashcard says: {s}", "Good evening, I need a second opinion. {s}", "{s} My notes are a mess.", "In our study group nobody agreed on this: {s}", "Explain it to me like a colleague would: {s}", "I saw this in an old exam. {s} What would you say?", "Just curious, {s}"]


def conversational(stem, rng):
    """A chat-like rewording of an exam question; returns (text, template index)."""
    index = rng.randrange(len(REWRITE))
    stem = re.sub(r"_{2,}", "what", stem.strip())
    stem = re.sub(r"^(Which|What) of the following (statements )?", lambda m: m.group(1) + " ", stem)
    if rng.random() < 0.6:
        stem = lower_first(stem)
    return REWRITE[index].replace("{s}", stem), index
