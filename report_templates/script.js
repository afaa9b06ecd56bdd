(function(){
"use strict";
var doc=document,root=doc.documentElement;
function each(list,f){Array.prototype.forEach.call(list,f)}
function text(cell){var k=cell.getAttribute("data-k");return k===null?cell.textContent.trim():k}
function number(s){var n=Number(s.replace(/\u2212/g,"-").replace(/[,%]/g,"").split(" ")[0]);return s!==""&&!isNaN(n)?n:null}
each(doc.querySelectorAll("table[data-sort]"),function(table){
var body=table.tBodies[0],heads=table.tHead.rows[0].cells;
each(heads,function(th,i){
var b=doc.createElement("button");b.type="button";b.textContent=th.textContent;th.textContent="";th.appendChild(b);
b.addEventListener("click",function(){
var up=th.getAttribute("aria-sort")!=="ascending";
each(heads,function(o){o.removeAttribute("aria-sort")});
th.setAttribute("aria-sort",up?"ascending":"descending");
Array.prototype.slice.call(body.rows).map(function(r,n){return{r:r,n:n,s:text(r.cells[i]),v:number(text(r.cells[i]))}}).sort(function(a,b){
var d=a.v!==null&&b.v!==null?a.v-b.v:a.v!==null?-1:b.v!==null?1:a.s<b.s?-1:a.s>b.s?1:0;
return(up?d:-d)||a.n-b.n}).forEach(function(x){body.appendChild(x.r)})})})});
var filters=doc.getElementById("filters");
if(filters){filters.hidden=false;var rows=doc.querySelectorAll("table.rules tbody tr"),status=doc.getElementById("shown");
each(filters.querySelectorAll("button"),function(b){b.addEventListener("click",function(){
var f=b.getAttribute("data-f"),n=0;
each(filters.querySelectorAll("button"),function(o){o.setAttribute("aria-pressed",String(o===b))});
each(rows,function(r){r.hidden=f!==""&&r.getAttribute("data-v")!==f;if(!r.hidden)n++});
status.textContent=n+" rules shown"})})}
var theme=doc.getElementById("theme"),dark=window.matchMedia&&window.matchMedia("(prefers-color-scheme: dark)").matches;
function paint(){root.setAttribute("data-theme",dark?"dark":"light");theme.textContent=dark?"Light":"Dark"}
theme.hidden=false;theme.textContent=dark?"Light":"Dark";
theme.addEventListener("click",function(){dark=!dark;paint()});
var print=doc.getElementById("print");print.hidden=false;print.addEventListener("click",function(){window.print()});
var fold=doc.querySelector("nav details");
if(window.matchMedia&&window.matchMedia("(max-width:64rem)").matches)fold.open=false;
var links={};each(doc.querySelectorAll("nav a"),function(a){links[a.getAttribute("href").slice(1)]=a});
if("IntersectionObserver" in window){var seen=new IntersectionObserver(function(list){list.forEach(function(e){
if(!e.isIntersecting||!links[e.target.id])return;
each(doc.querySelectorAll("nav li"),function(li){li.classList.remove("here")});
each(doc.querySelectorAll("nav a"),function(a){a.removeAttribute("aria-current")});
links[e.target.id].setAttribute("aria-current","true");links[e.target.id].parentNode.classList.add("here")})},{rootMargin:"-10% 0px -80% 0px"});
each(doc.querySelectorAll("main>section"),function(s){seen.observe(s)})}
})();
