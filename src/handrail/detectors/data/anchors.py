"""Words that say what the number or word beside them is, lower case and without accents, in eight languages.

Source: written for this project from forms, help pages' vocabulary and the habit of leaving accents out; no list was
copied. A longer phrase wins over a shorter one ("gift card" is not a card). `OTHER`: things with numbers that are not
personal data by themselves (orders, parcels, versions); a number that belongs to them is left alone.
"""

CARD = """card|card no|card nr|card number|credit card|debit card|bank card|creditcard|debitcard|credit card number|cc|cc number|ccnum|
visa|mastercard|master card|amex|american express|maestro|discover card|credit|pan|card details|
karte|kreditkarte|kartennummer|kreditkartennummer|bankkarte|girokarte|ec karte|debitkarte|kreditkarten nr|
carte|carte bancaire|carte bleue|carte de credit|numero de carte|cb|carte visa|
tarjeta|tarjeta de credito|tarjeta de debito|numero de tarjeta|carta di credito|carta di debito|numero carta|numero di carta|bancomat|
cartao|cartao de credito|cartao de debito|numero do cartao|kaart|kaartnummer|creditcardnummer|betaalkaart|bankpas|pinpas|
karta|karty|karte kredytowa|karta kredytowa|karty kredytowej|numer karty|nr karty|karta platnicza"""

CVV = """cvv|cvv2|cvc|cvc2|csc|cvn|cvv code|cvc code|cvv number|security code|card security code|card verification|verification value|
card verification code|security number|digits on the back|numbers on the back|three digits on the back|digits on back|numbers on back|digits at the back|code on the back|
drei ziffern hinten|ziffern hinten|ziffern auf der ruckseite|zahlen auf der ruckseite|ziffern auf der karte hinten|chiffres au dos|chiffres au verso|chiffres derriere|chiffres a l arriere|code au dos|
numeros de atras|digitos de atras|cifras de atras|numeros del reverso|digitos del reverso|digitos al dorso|numeros sul retro|cifre sul retro|cifre dietro|numeri sul retro|numeri dietro|
digitos do verso|numeros do verso|digitos de tras|numeros de tras|digitos atras|cijfers achterop|cijfers op de achterkant|cijfers achterkant|code achterop|cyfry z tylu|cyfry na odwrocie|cyfry z tyl|numer z tylu|
prufziffer|kartenprufnummer|kartenprufziffer|sicherheitscode|prufnummer|sicherheitsnummer|cryptogramme|code de securite|cryptogramme visuel|
codigo de seguridad|codigo de verificacion de la tarjeta|codice di sicurezza|codigo de seguranca|beveiligingscode|veiligheidscode|
kod cvv|kod cvc|kod zabezpieczajacy|kod bezpieczenstwa"""

LOOSE_CVV = """security code|security number|sicherheitscode|sicherheitsnummer|prufziffer|prufnummer|code de securite|
codigo de seguridad|codice di sicurezza|codigo de seguranca|beveiligingscode|veiligheidscode|kod zabezpieczajacy|kod bezpieczenstwa"""
"""Those of them that say no card: right behind the name of another number they belong to it."""

ACCOUNT = """account|a c|s c|account no|account nr|account num|account number|acct|acct no|acc|acc no|ac no|a c no|bank account|checking account|savings account|
bank details|sort code|sortcode|routing|routing number|routing no|aba|aba number|account id|iban|iban number|swift|bic|transfer to|sort code no|sort number|direct debit account|
konto|kontonummer|konto nr|kontonr|bankverbindung|blz|bankleitzahl|bankkonto|girokonto|
compte|numero de compte|compte bancaire|rib|releve d identite bancaire|cuenta|numero de cuenta|cuenta bancaria|cuenta corriente|clabe|
conto|numero di conto|conto corrente|numero conto|coordinate bancarie|conta|numero da conta|conta bancaria|conta corrente|agencia|nib|
rekening|rekeningnummer|bankrekening|rekeningnr|konta|numer konta|nr konta|rachunek|rachunku|numer rachunku|nr rachunku|konto bankowe|konta bankowego"""

PHONE = """phone|phone no|phone number|telephone|tel|mobile|mobile no|mobile number|cell|cellphone|cell phone|cell number|landline|call|call me|calling|ring|ring me|
text me|answering at|answer at|sms|whatsapp|reach me|contact|contact no|contact number|contact num|fax|callback|call back|direct line|direct number|direct dial|durchwahl|ligne directe|linea directa|linea diretta|linha direta|doorkiesnummer|phone num|phn|ph|ph no|mob|mob no|hotline|dial|
telefon|telefonnummer|telefonnr|handy|handynummer|mobilnummer|mobil|rufnummer|festnetz|ruckruf|erreichen|erreichbar|anrufen|ruckrufnummer|
telephone portable|portable|numero de telephone|tel portable|joindre|appeler|appelez|rappeler|rappelez|joignable|mobile est|fixe|
telefono|telefono movil|movil|celular|numero de telefono|llamar|llamarme|llamame|llameme|llamen|fijo|
cellulare|numero di telefono|chiamare|chiamarmi|chiamatemi|richiamare|recapito|
telefone|telemovel|numero de telefone|ligar|ligue|liguem|contacto|contato|fone|
telefoon|telefoonnummer|mobiel|mobiele nummer|bellen|bel me|bereiken|bereikbaar|gsm|06 nummer|
komorka|komorkowy|numer telefonu|nr telefonu|nr tel|zadzwonic|dzwonic|prosze dzwonic|kontaktowy|telefonu|komorki"""

NUMBER = """number|my no|no is|my number|our number|his number|her number|new number|nummer|meine nummer|numero|mon numero|mi numero|mio numero|meu numero|mijn nummer|numer|moj numer|under|unter|nr"""

SSN = """ssn|ssn no|ssn number|social|social security|social security number|social security no|social number|soc sec|ssmn|snn|
itin|tax id|taxpayer id|sozialversicherungsnummer|steuer id|steueridentifikationsnummer|steuernummer|rentenversicherungsnummer|
numero de securite sociale|securite sociale|numero secu|nir|numero de seguridad social|seguridad social|dni|nie|codice fiscale|
cpf|numero de seguranca social|nif|bsn|burgerservicenummer|sofinummer|pesel|numer pesel|nip|aadhaar|aadhar|pan card"""

NINO = "nino|ni number|ni no|national insurance|national insurance number|national insurance no|n i number"

DOB = """dob|d o b|date of birth|birth date|birthdate|birthday|bday|born|born on|birth|
geburtsdatum|geburtstag|geboren|geboren am|geb|geb am|date de naissance|naissance|ne le|nee le|ne|nee|anniversaire|
fecha de nacimiento|nacimiento|naci|nacido|nacida|cumpleanos|data di nascita|nascita|nato|nata|nato il|nata il|compleanno|
data de nascimento|nascimento|nasci|nascido|nascida|aniversario|geboortedatum|geboren op|verjaardag|
data urodzenia|daty urodzenia|urodzenia|urodzony|urodzona|urodzilem|urodzilam|ur|urodziny"""

PASSPORT = """passport|passport no|passport nr|passport number|travel document|travel document number|reisepass|reisepassnummer|passnummer|pass nr|reisepass nr|personalausweis|
ausweisnummer|ausweisnr|ausweis nr|passnr|ausweis|personalausweisnr|personalausweisnummer|passeport|numero de passeport|pasaporte|numero de pasaporte|passaporto|numero di passaporto|numero passaporto|
passaporte|numero do passaporte|paspoort|paspoortnummer|paszport|paszportu|numer paszportu|nr paszportu|driving licence|driver licence|drivers license|
driver license|driver s license|driver s licence|driving license|licence number|fuhrerschein|fuhrerscheinnummer|permis de conduire|carte d identite|identity card|id card|id card number|carta d identita|cartao de cidadao|
dowod osobisty|dowodu osobistego|nr dowodu|rijbewijs|rijbewijsnummer|carnet de conducir"""

PIN = """pin|pin number|pin code|pincode|pin no|card pin|my pin|pin nummer|geheimzahl|geheimnummer|code pin|code secret|code confidentiel|nip|numero de identificacion personal|codice segreto|codigo secreto|geheime code|geheimcode|
codigo pin|numero pin|numero secreto|codice pin|pin da|numer pin|kod pin|pinu"""

OTP = """otp|otp code|one time password|one time code|one time passcode|onetime password|verification code|verification number|2fa|2fa code|mfa code|passcode|auth code|
authentication code|authenticator code|authorization code|confirmation code sent|code you sent|code i got|code i received|code from the text|sms code|code by text|code by sms|code via sms|code par sms|codigo por sms|codice via sms|code per sms|kod z smsa|kod z sms a|kod sms owy|security code from the text|login code|access code|
tan|sms tan|bestatigungscode|einmalcode|einmalpasswort|verifizierungscode|sicherheitscode aus der sms|sms code lautet|anmeldecode|code aus der sms|
code de verification|code de validation|code recu|code a usage unique|code sms|code de confirmation recu|codigo de verificacion|codigo de un solo uso|codigo sms|codigo que me enviaron|codigo que recibi|
codice di verifica|codice otp|codice temporaneo|codice sms|codigo de verificacao|codigo de uso unico|codigo que recebi|codigo sms|
verificatiecode|eenmalige code|sms code is|inlogcode|kod weryfikacyjny|kod sms|kod jednorazowy|kod z sms|haslo jednorazowe"""

PASSWORD = """password|passwords|passwd|pwd|pw|pass word|passphrase|pswd|psw|user password|account password|wifi password|login password|passwort|kennwort|zugangspasswort|
mot de passe|mdp|contrasena|clave|clave de acceso|parola d ordine|parola chiave|senha|palavra passe|palavra chave|wachtwoord|haslo|haslem|hasla"""

ZIP = """zip|zip code|zipcode|postcode|post code|postal code|postal|plz|postleitzahl|code postal|codigo postal|c p|codice postale|codice di avviamento postale|cep|
postcode is|kod pocztowy|ich wohne in|wir wohnen in|wohnhaft in|wohne jetzt in|j habite a|nous habitons a|vivo en|vivimos en|abito a|abitiamo a|moro em|ik woon in|wij wonen in|mieszkam w|mieszkamy w|area code zip|pin code area"""

IP = "ip|ip address|ip addr|ip adresse|adresse ip|direccion ip|indirizzo ip|endereco ip|ip adres|adres ip|ipv4|ipv6"

EMAIL = """email|e mail|mail|email id|email address|mail id|e mail address|mailadresse|e mail adresse|emailadresse|courriel|adresse mail|adresse email|adresse e mail|
correo|correo electronico|posta elettronica|indirizzo email|endereco de email|e mailadres|mailadres|adres email|adres e mail|poczta"""

OTHER = """order|orders|order no|order nr|order number|order id|orders no|purchase|purchases|purchase order|po number|tracking|tracking no|tracking number|tracking id|parcel|package|shipment|consignment|delivery number|waybill|awb|
ticket|ticket no|ticket number|case|case id|case no|case number|invoice|invoice no|invoice number|receipt|transaction|transaction id|reference|reference no|reference number|ref|ref no|voucher|voucher code|
coupon|gift card|giftcard|gift voucher|gift card number|loyalty|loyalty no|loyalty card|loyalty number|membership|membership card|member id|member number|rewards card|points card|sim card|sim|simcard|memory card|boarding card|business card|green card|
graphics card|sound card|report card|library card|barcode|bar code|ean|upc|isbn|gtin|sku|model|model no|model number|serial|serial no|serial number|serial nr|imei|imei number|iccid|imsi|mac|version|firmware|build|release|part|part no|part number|
product|product code|product id|item|item no|item number|article|article no|article number|booking|booking reference|booking number|confirmation|confirmation no|confirmation number|reservation|flight|flight no|train|policy|policy no|policy number|claim|claim no|claim number|
customer id|customer no|customer number|customer nr|user id|userid|contract number|contract no|meter|meter reading|registration|plate|license plate|vin|error|error code|code|codigo|codice|kod|promo code|discount code|request id|request|session|session id|job|batch|lot|
quantity|qty|size|price|total|amount|balance|sum|cost|paid|pay|pages|page|room|floor|gate|seat|row|line|table|channel|chapter|section|paragraph|article|dated|
bestellung|bestellnummer|bestell nr|auftrag|auftragsnummer|sendung|sendungsnummer|paket|paketnummer|lieferung|lieferschein|rechnung|rechnungsnummer|rechnungs nr|vorgang|vorgangsnummer|ticketnummer|fall|fallnummer|aktenzeichen|referenznr|gutschein|gutscheincode|geschenkkarte|kundennummer|kundenkarte|
seriennummer|modell|modellnummer|artikel|artikelnummer|strichcode|geratenummer|vertragsnummer|vertrag|zahlerstand|zahlernummer|referenz|referenznummer|buchungsnummer|buchung|flug|betrag|preis|
commande|numero de commande|colis|numero de suivi|suivi|facture|numero de facture|dossier|numero de dossier|bon d achat|bon de reduction|carte cadeau|carte de fidelite|carte sim|reference client|numero client|numero de serie|modele|article|code barres|contrat|numero de contrat|reservation|vol|montant|prix|
pedido|numero de pedido|paquete|envio|seguimiento|numero de seguimiento|factura|numero de factura|referencia|numero de referencia|expediente|incidencia|cupon|tarjeta regalo|tarjeta sim|tarjeta de embarque|numero de cliente|numero de serie|modelo|articulo|codigo de barras|contrato|reserva|vuelo|importe|precio|
ordine|numero ordine|numero d ordine|pacco|spedizione|tracciamento|fattura|numero fattura|riferimento|numero di riferimento|pratica|buono|carta regalo|carta fedelta|carta sim|carta d imbarco|codice cliente|numero di serie|modello|articolo|codice a barre|contratto|prenotazione|volo|importo|prezzo|
encomenda|numero do pedido|rastreio|rastreamento|codigo de rastreio|fatura|nota fiscal|protocolo|numero de protocolo|vale|cupom|cartao presente|cartao sim|cartao de embarque|numero de serie|artigo|codigo de barras|voo|valor|preco|
bestelling|bestelnummer|ordernummer|pakket|zending|trackingnummer|referentie|referentienummer|kenmerk|factuur|factuurnummer|dossier|dossiernummer|zaaknummer|cadeaubon|cadeaukaart|klantnummer|klantenkaart|simkaart|serienummer|artikel|artikelnummer|contractnummer|boeking|vlucht|bedrag|prijs|instapkaart|meterstand|
exp|expiry|expires|expiration|expiry date|expiration date|exp date|valid until|valid thru|ending|ends|ending in|ends in|ablauf|ablaufdatum|gultig|gultig bis|endet auf|
expire|date d expiration|expiration|finissant|se terminant|caduca|vence|caducidad|vencimiento|termina en|terminada en|scadenza|scade|che finisce|validade|vence em|terminado em|final|geldig|vervaldatum|eindigend op|wazna|data waznosci|konczaca sie|
zamowienie|zamowienia|numer zamowienia|nr zamowienia|paczka|paczki|przesylka|przesylki|numer przesylki|faktura|faktury|numer faktury|sprawa|sprawy|numer referencyjny|referencja|zgloszenie|zgloszenia|numer zgloszenia|bon|kupon|karta podarunkowa|karta sim|karta pokladowa|karta stalego klienta|numer klienta|numer seryjny|artykul|kod kreskowy|umowa|umowy|numer umowy|rezerwacja|rezerwacji|lot|kwota|cena|wersja|wersji"""

NOT_TYPOS = frozenset(
    "contract contracts contacts contracted accounts discount discounts counted amount recount phones phony cards cared "
    "content order border older passwords postcards postcard positional portal".split()
)
"""Real words one letter away from an anchor."""

OF = (
    "for|of|on|to|the|my|his|her|our|back|hinten|auf|fur|zu|zur|von|der|die|meiner|meine|mein|ma|mon|la|le|de|du|pour|sur|mi|del|el|tu|su|"
    "para|en|mia|della|sulla|per|il|da|do|na|no|meu|minha|van|op|mijn|voor|het|mojej|moja|karty"
)
"""Between a code and what it belongs to."""

BY = "by|via|per|par|por|from|in|on|to|auf|om|op|przez|na|z|we|the|my|your|a|le|un|mon|el|mi|il|mio|o|meu|een|de|mijn|moj"
"""Between a code and the way it came."""

SENT = (
    r"sms\w*|text(?:ed|s)?|text message|whatsapp|authenticator|sent (?:me|us|to me|to my)|you sent|you just sent|received|just got|"
    r"gesendet|geschickt|erhalten|bekommen|recu|envoye|recibi\w*|recibo|enviaron|enviado|llego|ricevuto|inviato|mandato|arrivato|"
    r"recebi|enviaram|chegou|ontvangen|gestuurd|gekregen|kreeg|otrzyma\w*|dosta\w*|przysla\w*|wysla\w*|przyszedl"
)
"""How people say that a code was sent to them."""
